"""The demo's hooks: a server of Tyk's rich plugins, `coprocess.Dispatcher` over plain gRPC.

It knows who its readers are by their tokens, and tells the service in a header. Once it serves, it prints one line,
`hooks listening on 127.0.0.1:<port>`.

Example:
    .venv/bin/python examples/bookstore/hooks.py --port 50052
"""

from __future__ import annotations

import argparse
import signal
import sys
from concurrent import futures
from pathlib import Path

import grpc

sys.path.append(str(Path(__file__).resolve().parents[2] / "proto-fixtures"))
services = grpc.services("coprocess/coprocess.proto")

READERS = {"tess": "Tess"}


def authenticate(o) -> None:
    """CustomKeyCheck: an answer of its own, or a session with a token."""
    token = o.request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token in READERS:
        o.session.alias = READERS[token]
        o.metadata["token"] = token
        return
    overrides = o.request.return_overrides
    overrides.response_code = 401
    overrides.response_error = "no reader has this token"
    overrides.headers["WWW-Authenticate"] = "Bearer"


def name_reader(o) -> None:
    """PostKeyAuth: the service is told the name, and not the token."""
    o.request.set_headers["X-User"] = o.session.alias
    o.request.delete_headers.append("Authorization")


HOOKS = {"authenticate": authenticate, "name_reader": name_reader}


class Dispatcher(services.DispatcherServicer):
    """Answers with the object that came, as the hook has changed it."""

    def Dispatch(self, request, context):
        HOOKS[request.hook_name](request)
        return request


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves coprocess.Dispatcher on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=50052, help="0 takes a free one")
    arguments = parser.parse_args()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    services.add_DispatcherServicer_to_server(Dispatcher(), server)
    port = server.add_insecure_port(f"127.0.0.1:{arguments.port}")
    server.start()
    print(f"hooks listening on 127.0.0.1:{port}", flush=True)

    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=0))
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=0)


if __name__ == "__main__":
    main()
