"""A service in grpcio that tells what it was sent, and a client of it.

It serves methods of proto-fixtures/everything.proto, and prints the number of its port once it does. With an address and
metadata in JSON as arguments it is the client, which calls each kind of method and prints what it gets, in JSON.
"""

from __future__ import annotations

import json
import queue
import sys
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf.json_format import MessageToDict

sys.path.append(str(Path(__file__).resolve().parents[3] / "proto-fixtures"))
pb, services = grpc.protos_and_services("everything.proto")

COMPRESSIONS = {
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
    "identity": grpc.Compression.NoCompression,
}


def tell(context: grpc.ServicerContext, sent, number: int = 0):
    """An answer that has what was sent in it, and a secret. Compressed as the call's metadata `x-compression` says."""
    metadata = dict(context.invocation_metadata())
    context.set_compression(COMPRESSIONS[metadata.get("x-compression", "identity")])
    context.set_trailing_metadata([("x-trailing", "t")])
    return pb.Everything(**{"self": sent}, bytes_value=b"secret", renamed="telephone", uint32_value=number)


class Echo(services.EchoServicer):
    """A unary method."""

    def Post(self, request, context):
        return tell(context, request)

    Query = Unannotated = Post


class Streams(services.StreamsServicer):
    """A method of each other kind."""

    def List(self, request, context):
        for number in range(3):
            yield tell(context, request, number)

    def Collect(self, requests, context):
        whole = pb.Everything()
        for request in requests:
            whole.values.add().string_value = json.dumps(MessageToDict(request), sort_keys=True)
        return tell(context, whole)

    def Chat(self, requests, context):
        for number, request in enumerate(requests):
            yield tell(context, request, number)


def serve() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    services.add_EchoServicer_to_server(Echo(), server)
    services.add_StreamsServicer_to_server(Streams(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def chat(streams, **call) -> list:
    """Asks each question after the last answer."""
    questions: queue.Queue = queue.Queue()
    answers = streams.Chat(iter(questions.get, None), **call)
    heard = []
    for _ in range(3):
        questions.put(pb.Everything(string_value="eve"))
        heard.append(MessageToDict(next(answers)))
    questions.put(None)
    heard.extend(MessageToDict(answer) for answer in answers)
    return heard


def call(address: str, metadata: dict[str, str]) -> None:
    channel = grpc.insecure_channel(address)
    echo, streams = services.EchoStub(channel), services.StreamsStub(channel)
    more = {
        "metadata": list(metadata.items()),
        "timeout": 20,
        "compression": COMPRESSIONS[metadata.get("x-compression", "identity")],
    }
    eve = pb.Everything(string_value="eve", int64_value=5)
    heard: dict = {}
    calls = {
        "unary": lambda: MessageToDict(echo.Post(eve, **more)),
        "required": lambda: MessageToDict(echo.Query(eve, **more)),
        "server": lambda: [MessageToDict(answer) for answer in streams.List(eve, **more)],
        "client": lambda: MessageToDict(streams.Collect(iter([eve] * 3), **more)),
        "bidi": lambda: chat(streams, **more),
    }
    for kind, made in calls.items():
        try:
            heard[kind] = made()
        except grpc.RpcError as error:
            heard[kind] = {"code": error.code().name, "details": error.details()}
    print(json.dumps(heard))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        call(sys.argv[1], json.loads(sys.argv[2]))
    else:
        serve()
