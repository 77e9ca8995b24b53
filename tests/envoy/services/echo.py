"""A gRPC service that answers every call with its own messages, whatever the method. Prints its port."""

import concurrent.futures
import sys

import grpc


class Echo(grpc.GenericRpcHandler):
    def service(self, call_details):
        return grpc.stream_stream_rpc_method_handler(lambda messages, _: messages)


server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=[Echo()])
port = server.add_insecure_port("127.0.0.1:" + (sys.argv[1] if len(sys.argv) > 1 else "0"))
server.start()
print(port, flush=True)
server.wait_for_termination()
