"""A service in grpcio that compresses its answers as the call's metadata `x-compression` says, whatever the client accepts.

It serves methods of proto-fixtures/everything.proto, and prints the number of its port once it does.
"""

from __future__ import annotations

import sys
from concurrent import futures
from pathlib import Path

import grpc
from google.api.httpbody_pb2 import HttpBody

sys.path.append(str(Path(__file__).resolve().parents[3] / "proto-fixtures"))
pb, services = grpc.protos_and_services("everything.proto")

COMPRESSIONS = {
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}


def told(context: grpc.ServicerContext) -> dict[str, str]:
    """The call's metadata, which it obeys: x-compression, x-length of the text, and x-fail at its end."""
    metadata = dict(context.invocation_metadata())
    context.set_compression(COMPRESSIONS[metadata["x-compression"]])
    return metadata


def text(metadata: dict[str, str]) -> str:
    return "x" * int(metadata["x-length"])


class Echo(services.EchoServicer):
    """A unary method."""

    def Post(self, request, context):
        metadata = told(context)
        context.set_trailing_metadata([("x-trailing", "t")])
        if "x-fail" in metadata:
            context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        return pb.Everything(int32_value=request.int32_value, string_value=text(metadata))

    Query = Post


class Streams(services.StreamsServicer):
    """Answers of three messages."""

    def List(self, request, context):
        metadata = told(context)
        for number in range(3):
            yield pb.Everything(int32_value=number, string_value=text(metadata))
        if "x-fail" in metadata:
            context.abort(grpc.StatusCode.NOT_FOUND, "gone")

    def Download(self, request, context):
        metadata = told(context)
        for _ in range(3):
            yield HttpBody(content_type="text/plain", data=text(metadata).encode())


def main() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    services.add_EchoServicer_to_server(Echo(), server)
    services.add_StreamsServicer_to_server(Streams(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
