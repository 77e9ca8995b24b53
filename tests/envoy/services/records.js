// Says back what it has received, as @grpc/proto-loader reads it: its protobufjs doesn't merge the records of one message,
// it keeps the last. Prints its port.
'use strict';

const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [, , proto] = process.argv;
const definition = loader.loadSync(proto, { keepCase: true, longs: String, enums: String });
const { Library } = grpc.loadPackageDefinition(definition).records;

const said = (received) => ({ json: JSON.stringify(received) });

const server = new grpc.Server();
server.addService(Library.service, {
  Say: (call, answer) => answer(null, said(call.request)),
  Collect: (call, answer) => {
    const received = [];
    call.on('data', (message) => received.push(message));
    call.on('end', () => answer(null, said(received)));
  },
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
