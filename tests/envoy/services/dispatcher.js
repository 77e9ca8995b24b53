// A server of Tyk's rich plugins in Node, as its authors write it: by @grpc/proto-loader from the .proto that it is given.
// Its runtime drops the fields that it doesn't know. Prints its port.
'use strict';

const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [, , proto] = process.argv;
const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
const definition = loader.loadSync(proto, options);
const { Dispatcher } = grpc.loadPackageDefinition(definition).coprocess;

// By hook_name; others echo.
const hooks = {
  sets: ({ request }) => {
    request.set_headers = { 'x-node': request.headers['X-Hook'] };
  },
  answers: ({ request }) => {
    request.return_overrides = {
      response_code: 200,
      response_error: '{"answered":true}',
      headers: { 'Content-Type': 'application/json', 'X-Node': '1' },
    };
  },
  authenticates: (object) => {
    if (object.request.headers.Authorization !== 'Bearer t') {
      Object.assign(object.request.return_overrides, { response_code: 401, response_error: 'who?' });
      return;
    }
    object.session = {
      rate: 1000.5,
      per: 60,
      expires: '4102444800',
      access_rights: { a1: { api_name: 'A', api_id: 'a1', versions: ['Default'] } },
      tags: ['x', 'y'],
      metadata: { plan: 'gold' },
    };
    object.metadata = { token: 't' };
  },
  knows: ({ request, session, metadata }) => {
    request.set_headers = { 'x-session': JSON.stringify(session), 'x-metadata': JSON.stringify(metadata) };
  },
  responds: ({ response }) => {
    response.headers['X-Node'] = '1';
  },
};

const server = new grpc.Server();
server.addService(Dispatcher.service, {
  Dispatch: ({ request: object }, answer) => {
    hooks[object.hook_name]?.(object);
    answer(null, object);
  },
  DispatchEvent: (_, answer) => answer(null, {}),
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
