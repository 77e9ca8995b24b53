"""A native gRPC client for the bookstore: it can talk to the backend itself, or through Envoy and protobridge.

Example:
    .venv/bin/python examples/bookstore/client.py 127.0.0.1:8080 get shelves/fiction/books/solaris
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

sys.path.append(str(Path(__file__).resolve().parents[2] / "proto-fixtures"))
pb, services = grpc.protos_and_services("bookstore/v1/bookstore.proto")


def run(channel: grpc.Channel, command: str, argument: str, metadata: list[tuple[str, str]]) -> Iterator[str]:
    """The lines that answer one command."""
    stub = services.BookstoreStub(channel)
    if command == "get":
        yield to_json(stub.GetBook(pb.GetBookRequest(name=argument), timeout=10, metadata=metadata))
    elif command == "lend":
        book, _, borrower = argument.partition(":")
        request = pb.LendBookRequest(name=book, borrower=borrower)
        yield to_json(stub.LendBook(request, timeout=10, metadata=metadata))
    elif command == "watch":
        shelf, _, count = argument.partition(":")
        events = stub.WatchBooks(pb.WatchBooksRequest(shelf=shelf), metadata=metadata)
        yield from map(to_json, itertools.islice(events, int(count) if count else None))
        events.cancel()
    elif command == "services":
        yield from sorted(ProtoReflectionDescriptorDatabase(channel).get_services())
    else:
        request = health_pb2.HealthCheckRequest(service=argument)
        yield to_json(health_pb2_grpc.HealthStub(channel).Check(request, timeout=10))


def to_json(message: Any) -> str:
    return json_format.MessageToJson(message, ensure_ascii=False)


def main() -> int:
    parser = argparse.ArgumentParser(description="Calls the bookstore over gRPC.")
    parser.add_argument("target", help="host:port")
    parser.add_argument("command", choices=("get", "lend", "watch", "services", "health"))
    parser.add_argument(
        "argument",
        nargs="?",
        default="",
        help="get: a book's name; lend: that and :borrower; watch: shelf[:events]; health: service",
    )
    parser.add_argument("--metadata", default="", help="`name: value`, sent with a call of the bookstore")
    arguments = parser.parse_args()
    name, _, value = arguments.metadata.partition(":")
    metadata = [(name.strip(), value.strip())] if name else []
    with grpc.insecure_channel(arguments.target) as channel:
        try:
            for line in run(channel, arguments.command, arguments.argument, metadata):
                print(line, flush=True)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
