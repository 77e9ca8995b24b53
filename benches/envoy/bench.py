"""Compares protobridge with Envoy's own C++ gRPC-JSON transcoder, in one Envoy and in turns.

Beside them goes a Wasm filter that does nothing, on gRPC that needs no transcoding: the floor of any Wasm filter. What
is compared is the CPU time of the Envoy process for each request. A machine is rarely as fast in one second as in the
next: so turns are short, each round has one of every contender, in random order, and what counts is the ratio within a
round. Of these the median is printed, with the interval that holds the true one in 95 of 100 runs. Requests per second
and latencies are those of a client, server and Envoy on the same machine. `make bench-envoy` installs what this needs.

With `--instructions` Envoy runs under valgrind, and what is compared is the instructions of its process for each request,
those of compiled WebAssembly among them. They are the same on a busy machine, to about half a percent. They say nothing
of how long an instruction takes: longer in code that runs once for a request than in code that runs often.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import math
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PROTO = ROOT / "benches/bench.proto"
sys.path.insert(0, str(ROOT / "examples/bookstore"))

from demo import ENVOY, Failure, running, wait  # noqa: E402

MODULE = ROOT / "target/wasm32-wasip1/release/protobridge.wasm"
NOOP = ROOT / "target/wasm32-wasip1/release/protobridge_bench_noop.wasm"
UPSTREAM = ROOT / "target/release/bench-upstream"
CLIENT = ROOT / "target/release/bench-load"
COUNTS = "callgrind"  # how the names of files with counts begin
MESSAGES = 1000  # of a stream; benches/upstream sends as many

LISTENERS = [
    NATIVE := "native",
    OURS := "protobridge",
    GRPC_WEB := "grpc_web",
    BRIDGE := "bridge",
    TRANSFORMS := "transforms",
    HOOK := "hook",
    HOOK_UNTOLD := "hook_untold",
    EXT_PROC := "ext_proc",
    EXT_PROC_ECHO := "ext_proc_echo",
    EXT_PROC_TOLD := "ext_proc_told",
    EXT_AUTHZ := "ext_authz",
    FLOOR := "floor",
]


@dataclass
class Shape:
    """One request, as JSON, and as the gRPC that it becomes."""

    name: str
    method: str
    path: str
    grpc_path: str
    body: str
    message: bytes
    connections: int = 8
    requests: int = 400  # of a turn
    accept: str = "application/json"
    # Who takes part, and by which listener.
    listeners: dict[str, str] = field(default_factory=lambda: {NATIVE: NATIVE, OURS: OURS, FLOOR: FLOOR})
    same: bool = True  # whether the answers are


@dataclass
class Turn:
    """The figures of one turn: microseconds of Envoy's CPU a request, requests a second, milliseconds."""

    cpu: float
    rate: float
    p50: float
    p99: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="how often each is measured (default: 60)")
    parser.add_argument("--shape", default="", help="only the shapes whose names contain this")
    parser.add_argument("--module", type=Path, default=MODULE, help="the module to measure (default: the built one)")
    parser.add_argument("--beside", type=Path, help="another module, which takes the native transcoder's place")
    parser.add_argument("--instructions", action="store_true", help="count instructions; needs valgrind")
    arguments = parser.parse_args()
    if arguments.instructions and not shutil.which("callgrind_control"):
        parser.error("--instructions needs valgrind: expected callgrind_control on the PATH")
    try:
        with tempfile.TemporaryDirectory(prefix="protobridge-bench-") as name:
            run(Path(name), arguments)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def run(folder: Path, arguments: argparse.Namespace) -> None:
    schema = Schema(folder)
    (folder / "message").write_bytes(frame(schema.wire("Book", json.dumps(book(random.Random(7), 400)))))
    log = folder / "upstream.log"
    with running([UPSTREAM, folder / "message"], log) as upstream:
        port = int(wait(upstream, log, lambda: log.read_text().strip() or None))
        (folder / "envoy.json").write_text(json.dumps(bootstrap(port, schema, arguments)))
        log = folder / "envoy.log"
        admin = folder / "admin"
        command = [ENVOY, "--config-path", folder / "envoy.json", "--concurrency", "1", "--disable-hot-restart"]
        command += ["--log-level", "warning", "--admin-address-path", admin]
        if arguments.instructions:
            command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/{COUNTS}",
                       # V8 writes code; the command is a script that starts Envoy.
                       "--smc-check=all-non-file", "--trace-children=yes", *command]
        with running(command, log) as envoy:
            address = wait(envoy, log, lambda: admin.exists() and admin.read_text() or None)
            ports = wait(envoy, log, lambda: listening(address))
            shapes = [shape for shape in all_shapes(schema) if arguments.shape in shape.name]
            for shape in shapes:
                check(shape, ports)
            if arguments.instructions:
                print_instructions(envoy.pid, shapes, ports, folder)
            else:
                print_table(envoy.pid, shapes, ports, folder, arguments)


def print_table(pid: int, shapes: list[Shape], ports: dict[str, int], folder: Path, arguments: Any) -> None:
    columns = ["", "CPU per request, µs: native", "protobridge", "floor", "**ratio**", "95 %"]
    columns += [f"{figure}{whose}" for figure in ("requests/s: ", "p50, ms: ", "p99, ms: ") for whose in (NATIVE, OURS)]
    print(f"| {' | '.join(columns)} |\n|---|{'--:|' * (len(columns) - 1)}")
    order = random.Random(2)
    for shape in shapes:
        turns: dict[str, list[Turn]] = {name: [] for name in shape.listeners}
        for name in turns:
            # V8 optimises what has run for a while.
            load(pid, shape, name, ports[shape.listeners[name]], folder, 50 * shape.requests)
        for _ in range(arguments.rounds):
            for name in order.sample(list(turns), len(turns)):
                turns[name].append(load(pid, shape, name, ports[shape.listeners[name]], folder, shape.requests))
        native, ours = median(turns[NATIVE]), median(turns[OURS])
        floor = f"{median(turns[FLOOR]).cpu:.1f}" if FLOOR in turns else ""
        low, ratio, high = interval([ours.cpu / native.cpu for native, ours in zip(turns[NATIVE], turns[OURS])])
        cells = [f"{native.cpu:.1f}", f"{ours.cpu:.1f}", floor, f"**{ratio:.2f}**", f"{low:.2f}–{high:.2f}"]
        cells += [f"{native.rate:.0f}", f"{ours.rate:.0f}"]
        cells += [f"{of:.2f}" for of in (native.p50, ours.p50, native.p99, ours.p99)]
        print(f"| {shape.name} | {' | '.join(cells)} |", flush=True)


def print_instructions(pid: int, shapes: list[Shape], ports: dict[str, int], folder: Path) -> None:
    print("| | Instructions per request: native | protobridge | floor | **ratio** |\n|---|--:|--:|--:|--:|")
    for shape in shapes:
        for name, listener in shape.listeners.items():
            # V8 optimises what has run for a while, more than is measured here.
            load(pid, shape, name, ports[listener], folder, 20 * shape.requests)
        counts = {
            name: instructions(pid, shape, name, ports[listener], folder) for name, listener in shape.listeners.items()
        }
        floor = f"{counts[FLOOR]:.0f}" if FLOOR in counts else ""
        cells = [f"{counts[NATIVE]:.0f}", f"{counts[OURS]:.0f}", floor, f"**{counts[OURS] / counts[NATIVE]:.2f}**"]
        print(f"| {shape.name} | {' | '.join(cells)} |", flush=True)


def instructions(pid: int, shape: Shape, name: str, port: int, folder: Path) -> float:
    """Of one turn, by request."""
    for file in folder.glob(f"{COUNTS}*"):
        file.unlink()
    control(pid, "--instr=on")
    control(pid, "--zero")
    load(pid, shape, name, port, folder, shape.requests)
    control(pid, "--dump")
    control(pid, "--instr=off")
    dumps = [file.read_text() for file in folder.glob(f"{COUNTS}*")]
    totals = [int(line.split()[1]) for dump in dumps for line in dump.splitlines() if line.startswith("totals:")]
    if not totals:
        raise Failure("valgrind has written no count")
    return sum(totals) / shape.requests


def control(pid: int, what: str) -> None:
    done = subprocess.run(["callgrind_control", what, str(pid)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"callgrind_control {what}: {done.stdout}{done.stderr}")


def median(turns: list[Turn]) -> Turn:
    return Turn(*(statistics.median(getattr(turn, figure.name) for turn in turns) for figure in fields(Turn)))


def interval(values: list[float]) -> tuple[float, float, float]:
    """The median, between the values that hold the true one with 95 % (the binomial's normal approximation)."""
    ranked, half = sorted(values), 0.98 * math.sqrt(len(values))
    low = max(0, math.floor(len(values) / 2 - half))
    high = min(len(values) - 1, math.ceil(len(values) / 2 + half))
    return ranked[low], statistics.median(ranked), ranked[high]


def load(pid: int, shape: Shape, name: str, port: int, folder: Path, requests: int) -> Turn:
    """So many requests to a listener."""
    path, method, headers, body = request_of(shape, name)
    lines = [f"{method} {path} HTTP/1.1", "host: bench", "user-agent: bench-load"]
    lines += [f"{header}: {value}" for header, value in zip(headers[::2], headers[1::2])]
    lines += [f"content-length: {len(body)}"] if body else []
    file = folder / "request"
    file.write_bytes("\r\n".join([*lines, "", ""]).encode() + body)
    command = [CLIENT, str(pid), str(port), str(shape.connections), str(requests), file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{shape.name}, {name}: {done.stderr}")
    cpu, passed, p50, p99 = map(int, done.stdout.split())
    return Turn(cpu / 1e3 / requests, requests * 1e9 / passed, p50 / 1e3, p99 / 1e3)


def request_of(shape: Shape, name: str) -> tuple[str, str, list[str], bytes]:
    """Path, method, headers and body."""
    if name == FLOOR:
        path, method, body = shape.grpc_path, "POST", frame(shape.message)
        headers = ["content-type", "application/grpc"]
    else:
        path, method, body = shape.path, shape.method, shape.body.encode()
        headers = ["accept", shape.accept, *(["content-type", "application/json"] if body else [])]
    return path, method, headers, body


def check(shape: Shape, ports: dict[str, int]) -> None:
    """Both give the same answer, so that the same work is compared."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answers = []
    for name in (NATIVE, OURS):
        path, method, headers, _ = request_of(shape, name)
        url = f"http://127.0.0.1:{ports[shape.listeners[name]]}{path}"
        fields = dict(zip(headers[::2], headers[1::2]))
        request = urllib.request.Request(url, shape.body.encode() or None, fields, method=method)
        with opener.open(request, timeout=30) as answer:
            text = answer.read()
            lines = answer.headers["content-type"] == "application/x-ndjson"
        answers.append([json.loads(line) for line in text.splitlines()] if lines else json.loads(text))
    native, ours = answers
    if (native == ours) != shape.same:
        raise Failure(f"{shape.name}: expected answers to be the same: {shape.same}\n{str(native)[:500]}\n{str(ours)[:500]}")


def listening(admin: str) -> dict[str, int] | None:
    try:
        with urllib.request.urlopen(f"http://{admin}/listeners?format=json", timeout=5) as answer:
            listeners = json.load(answer).get("listener_statuses", [])
    except OSError:
        return None
    ports = {of["name"]: of["local_address"]["socket_address"]["port_value"] for of in listeners}
    return ports if len(ports) == len(LISTENERS) and all(ports.values()) else None


class Schema:
    """bench.proto, compiled for Envoy's transcoder and for making messages."""

    def __init__(self, folder: Path) -> None:
        from google.protobuf import descriptor_pb2, descriptor_pool
        from grpc_tools import protoc

        self.file = folder / "bench.pb"
        includes = [PROTO.parent, importlib.resources.files("grpc_tools") / "_proto", googleapis()]
        command = ["protoc", *(f"--proto_path={include}" for include in includes), "--include_imports",
                   f"--descriptor_set_out={self.file}", str(PROTO)]
        if protoc.main(command) != 0:
            raise Failure("bench.proto does not compile")
        self.pool = descriptor_pool.DescriptorPool()
        for proto in descriptor_pb2.FileDescriptorSet.FromString(self.file.read_bytes()).file:
            self.pool.Add(proto)

    def wire(self, name: str, text: str) -> bytes:
        """The wire form of a message in JSON."""
        from google.protobuf import json_format, message_factory

        message = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(f"bench.{name}"))()
        return json_format.Parse(text, message).SerializeToString()


def googleapis() -> Path:
    import google.api.annotations_pb2

    return Path(google.api.annotations_pb2.__file__).resolve().parents[2]


def frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def all_shapes(schema: Schema) -> list[Shape]:
    numbers = random.Random(1)
    small = {
        "name": "shelves/7/books/1234",
        "title": "The Left Hand of Darkness",
        "authorName": "Ursula K. Le Guin",
        "pageCount": 304,
        "price": 12.99,
        "inStock": True,
        "genre": "GENRE_FICTION",
    }

    def echo(name: str, method: str, path: str, kind: str, value: Any, *load: int, **different: Any) -> Shape:
        body = json.dumps(value, separators=(",", ":"))
        title, message = f"{name}, {size(len(body))}", schema.wire(kind, body)
        return Shape(title, "POST", path, f"/bench.Bench/{method}", body, message, *load, **different)

    def echo_list(length: int, *load: int) -> Shape:
        return echo("list", "EchoBooks", "/v1/books", "ListBooksResponse", books(length, numbers), *load)

    def stream(how: str, **different: Any) -> Shape:
        body = '{"shelf":"7"}'
        message = schema.wire("ListBooksRequest", body)
        name = f"stream of {MESSAGES} messages{how}"
        return Shape(name, "POST", "/v1/list", "/bench.Bench/ListBooks", body, message, 2, 20, **different)

    def get(how: str, **different: Any) -> Shape:
        path = "/v1/shelves/7/books/1234?view=FULL"
        message = schema.wire("GetBookRequest", '{"shelf":"7","book":"1234","view":"FULL"}')
        return Shape(f"GET, an answer of 400 B{how}", "GET", path, "/bench.Bench/GetBook", "", message, **different)

    def in_front(ours: str, our_listener: str, other: str, other_listener: str) -> list[Shape]:
        beside = f"{ours}, beside {other}"
        listeners = {NATIVE: other_listener, OURS: our_listener}
        return [
            echo(f"object, {beside}", "EchoBook", "/v1/book", "Book", small, listeners=listeners),
            echo(f"list, {beside}", "EchoBooks", "/v1/books", "ListBooksResponse", hooked, 8, 300, listeners=listeners),
        ]

    hooked = books(4_500, numbers)
    transformed = {"listeners": {NATIVE: OURS, OURS: TRANSFORMS}, "same": False}
    return [
        echo("object", "EchoBook", "/v1/book", "Book", small),
        echo("object, by the Connect bridge", "EchoBook", "/v1/book", "Book", small,
             listeners={NATIVE: NATIVE, OURS: BRIDGE}),
        echo_list(4_500, 8, 300),
        echo_list(108_000, 4, 40),
        echo_list(1_100_000, 2, 8),
        stream(""),
        stream(", as NDJSON", accept="application/x-ndjson", listeners={NATIVE: NATIVE, OURS: OURS}),
        stream(", with grpc_web", listeners={NATIVE: NATIVE, OURS: GRPC_WEB}),
        get(""),
        get(", by the Connect bridge", listeners={NATIVE: NATIVE, OURS: BRIDGE}),
        # Beside the same without, which takes the native transcoder's place.
        echo("object, a field set, beside the same without", "EchoBook", "/v1/book", "Book", small, **transformed),
        echo("list, a field removed two levels deep, beside the same without", "EchoBooks", "/v1/books",
             "ListBooksResponse", books(4_500, numbers), 8, 300, **transformed),
        # A hook in front that changes nothing, beside other filters that ask a server in front of the module. It sends
        # the whole request back. An external processor may do so too, or say that everything stays. A hook is also told
        # of the client and the route, unless that is off, and an external processor if that is asked for.
        *in_front("a Pre hook", HOOK_UNTOLD, "ext_proc that echoes", EXT_PROC_ECHO),
        *in_front("a Pre hook told of the client", HOOK, "ext_proc that echoes and is told too", EXT_PROC_TOLD),
        *in_front("a Pre hook", HOOK_UNTOLD, "ext_proc", EXT_PROC),
        *in_front("a Pre hook told of the client", HOOK, "ext_authz", EXT_AUTHZ),
    ]


def size(length: int) -> str:
    return f"{length} B" if length < 1000 else f"{length / 1e3:.1f} KB" if length < 10**6 else f"{length / 1e6:.1f} MB"


def books(length: int, numbers: random.Random) -> dict[str, Any]:
    made: list[Any] = []
    total = 0
    while total < length:
        made.append(book(numbers))
        total += len(json.dumps(made[-1], separators=(",", ":"))) + 1
    return {"books": made, "nextPageToken": "CAEQAg"}


def book(numbers: random.Random, length: int = 0) -> dict[str, Any]:
    def words(count: int) -> str:
        known = "river the glass of mountain a winter light city salt northern sea".split()
        return " ".join(numbers.choices(known, k=count))

    made: dict[str, Any] = {
        "name": f"shelves/{numbers.randrange(100)}/books/{numbers.randrange(100_000)}",
        "title": words(4),
        "authorName": words(2),
        "pageCount": numbers.randrange(1, 999),
        "soldCopies": str(numbers.randrange(1, 9_999_999)),
        "price": numbers.randrange(1, 9_999) / 100,
        "inStock": True,
        "genre": f"GENRE_{numbers.choice(['FICTION', 'HISTORY', 'SCIENCE'])}",
        "tags": [words(1) for _ in range(3)],
        "publisher": {"displayName": words(2), "city": words(1), "foundedYear": numbers.randrange(1500, 2000)},
        "createTime": f"20{numbers.randrange(100):02}-06-{numbers.randrange(1, 31):02}T12:34:56.789Z",
    }
    short = length - len(json.dumps(made, separators=(",", ":"))) - len(',"summary":""')
    if short > 0:
        made["summary"] = words(short // 4)[:short]
    return made


TYPE = "type.googleapis.com/envoy.extensions"


def bootstrap(upstream: int, schema: Schema, arguments: Any) -> dict[str, Any]:
    """Envoy's configuration: listeners that differ in their filters."""
    proto = {"@type": "type.googleapis.com/google.protobuf.Struct",
             "value": {"proto": PROTO.read_text(), "bodyless": "call", "hold_headers": True}}
    grpc_web_proto = {**proto, "value": {**proto["value"], "upstream": {"grpc_web": True}}}
    bridged = {"connect_bridge": True, "bridge_bodies": True}
    bridge_proto = {**proto, "value": {**proto["value"], "upstream": bridged}}
    native = {
        "name": "envoy.filters.http.grpc_json_transcoder",
        "typed_config": {
            "@type": f"{TYPE}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
            "proto_descriptor": str(schema.file),
            "services": ["bench.Bench"],
        },
    }
    grpc_web = {"name": "envoy.filters.http.grpc_web",
                "typed_config": {"@type": f"{TYPE}.filters.http.grpc_web.v3.GrpcWeb"}}
    bridge = {"name": "envoy.filters.http.connect_grpc_bridge",
              "typed_config": {"@type": f"{TYPE}.filters.http.connect_grpc_bridge.v3.FilterConfig"}}
    transforms = [
        {"selector": "bench.Bench.EchoBook", "request": [{"set": {"field": "author_name", "header": "user-agent"}}]},
        {"selector": "bench.Bench.EchoBooks", "response": [{"remove": ["books.publisher.city"]}]},
    ]
    transforms_proto = {**proto, "value": {**proto["value"], "transforms": transforms}}
    hooks = {"cluster": "upstream", "timeout": "10s", "pre": [{"name": "echo"}]}
    hook_proto = {**proto, "value": {**proto["value"], "hooks": hooks}}
    untold_proto = {**proto, "value": {**proto["value"], "hooks": {**hooks, "attributes": False}}}
    told = ["source.address", "connection.tls_version", "xds.route_name"]
    server = {"envoy_grpc": {"cluster_name": "upstream"}, "timeout": "10s"}
    ext_authz = {
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": f"{TYPE}.filters.http.ext_authz.v3.ExtAuthz",
            "grpc_service": server,
            "with_request_body": {"max_request_bytes": 1 << 20},
        },
    }
    module, beside = arguments.module, arguments.beside
    filters = {
        NATIVE: [wasm("beside", beside, proto) if beside else native],
        OURS: [wasm("protobridge", module, proto)],
        GRPC_WEB: [wasm("protobridge", module, grpc_web_proto), grpc_web],
        BRIDGE: [wasm("protobridge", module, bridge_proto), bridge],
        TRANSFORMS: [wasm("protobridge", module, transforms_proto)],
        HOOK: [wasm("protobridge", module, hook_proto)],
        HOOK_UNTOLD: [wasm("protobridge", module, untold_proto)],
        EXT_PROC: [ext_proc(server, "stays"), wasm("protobridge", module, proto)],
        EXT_PROC_ECHO: [ext_proc(server, "echo"), wasm("protobridge", module, proto)],
        EXT_PROC_TOLD: [ext_proc(server, "echo", told), wasm("protobridge", module, proto)],
        EXT_AUTHZ: [ext_authz, wasm("protobridge", module, proto)],
        FLOOR: [wasm("noop", NOOP, None)],
    }
    return {
        "static_resources": {
            "listeners": [listener(name, filters[name]) for name in LISTENERS],
            "clusters": [{
                "name": "upstream",
                "type": "STATIC",
                "per_connection_buffer_limit_bytes": BUFFER,
                "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": address(upstream)}}]}]},
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": f"{TYPE}.upstreams.http.v3.HttpProtocolOptions",
                        "explicit_http_config": {"http2_protocol_options": {}},
                    },
                },
            }],
        },
        "admin": {"address": address(0)},
    }


BUFFER = 16 << 20


def ext_proc(server: dict[str, Any], authority: str, attributes: Sequence[str] = ()) -> dict[str, Any]:
    """`authority` says to benches/upstream what the processor does."""
    return {
        "name": "envoy.filters.http.ext_proc",
        "typed_config": {
            "@type": f"{TYPE}.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": {**server, "envoy_grpc": {**server["envoy_grpc"], "authority": authority}},
            "message_timeout": "10s",
            "request_attributes": [*attributes],
            "processing_mode": {
                "request_header_mode": "SEND", "request_body_mode": "BUFFERED", "response_header_mode": "SKIP",
            },
        },
    }


def listener(name: str, filters: list[Any]) -> dict[str, Any]:
    router = {"name": "envoy.filters.http.router",
              "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router"}}
    return {
        "name": name,
        "address": address(0),
        "per_connection_buffer_limit_bytes": BUFFER,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "http_filters": [*filters, router],
                "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                    {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}}]}]},
            },
        }]}],
    }


def wasm(name: str, module: Path, configuration: Any) -> dict[str, Any]:
    config = {
        "name": name,
        "vm_config": {"vm_id": name, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(module)}}},
        "allow_on_headers_stop_iteration": True,
    }
    if configuration:
        config["configuration"] = configuration
    return {"name": f"envoy.filters.http.wasm.{name}",
            "typed_config": {"@type": f"{TYPE}.filters.http.wasm.v3.Wasm", "config": config}}


def address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


if __name__ == "__main__":
    sys.exit(main())
