"""A server of Tyk's rich plugins in grpcio, as their authors write it, whose hooks do what a request says.

The header `x-hook` has the statements of each hook by its name, in JSON, or those of all by `*`. They see the object that came as `o`, which is the
answer, and what is below as helpers. A hook without statements echoes; one that checks keys, and has none, lets `t` in.
The server prints the number of its port once it serves.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf.json_format import MessageToDict

sys.path.append(str(Path(__file__).resolve().parents[3] / "proto-fixtures"))
pb = grpc.protos("coprocess/coprocess.proto")

PATH = "/coprocess.Dispatcher/Dispatch"


class Raw(Exception):
    """Answers with these bytes."""


def raw(data: bytes):
    raise Raw(data)


def seen(message) -> str:
    """A message as JSON in ASCII, to be a header's value."""
    return json.dumps(MessageToDict(message, preserving_proto_field_name=True), separators=(",", ":"))


def refuse(o, code: int, error: str = "", body: str = "", verbatim: bool = False, **headers: str):
    overrides = o.request.return_overrides
    overrides.response_code = code
    overrides.response_error = error
    overrides.response_body = body
    overrides.override_error = verbatim
    overrides.headers.update({name.replace("_", "-"): value for name, value in headers.items()})


def let_in(o, token: str, **session):
    o.session.SetInParent()
    for name, value in session.items():
        setattr(o.session, name, value)
    o.metadata["token"] = token


def dispatch(data: bytes, context: grpc.ServicerContext) -> bytes:
    o = pb.Object.FromString(data)
    scripts = json.loads(o.request.headers.get("X-Hook", "{}"))
    script = scripts.get(o.hook_name, scripts.get("*"))
    if script is None and o.hook_type == pb.CustomKeyCheck:
        token = o.request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token == "t":
            let_in(o, token)
        else:
            refuse(o, 403, "no key")
    metadata = dict(context.invocation_metadata())
    names = {
        "o": o, "pb": pb, "raw": raw, "seen": seen, "refuse": refuse, "let_in": let_in, "sleep": time.sleep,
        "metadata": metadata, "json": json,
        "abort": lambda code: context.abort(list(grpc.StatusCode)[code], "told to"),
    }
    try:
        exec(script or "", names)
    except Raw as answer:
        return answer.args[0]
    return names["o"].SerializeToString()


class Dispatcher(grpc.GenericRpcHandler):
    """The one method, whose answers may be any bytes."""

    def service(self, call):
        return grpc.unary_unary_rpc_method_handler(dispatch) if call.method == PATH else None


def main() -> None:
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=unlimited)
    server.add_generic_rpc_handlers([Dispatcher()])
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
