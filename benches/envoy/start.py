"""What protobridge costs before the first request: the time to load and to configure it in Envoy, and its memory.

A configuration takes what Envoy's own trace log says between the call of `proxy_on_configure` and its return. Envoy makes
that call twice on its main thread and once for each worker. Of all calls in all starts the fastest counts: what else the
machine does only adds to it. A start takes the CPU time of the Envoy process, all threads, until it is ready; that and
the resident memory then are medians. `make bench-start` installs what this needs.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import statistics
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import MODULE, Failure, ENVOY, address, cpu, googleapis, listener, running, wait, wasm  # noqa: E402

CALL = re.compile(r"^(\d+\.\d+) .*\[host->vm\] proxy_on_configure\(")
RETURN = re.compile(r"^(\d+\.\d+) .*\[host<-vm\] proxy_on_configure return: (\d+)")


@dataclass
class Start:
    """One start of Envoy: seconds of CPU, milliseconds of each configuration, bytes of resident memory."""

    cpu: float
    configured: list[float]
    memory: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5, help="how often Envoy is started for a figure (default: 5)")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="protobridge-start-") as name:
            run(Path(name), arguments.starts)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def run(folder: Path, starts: int) -> None:
    many = methods(5000)
    schemas = {
        "10 methods": {"proto": methods(10)},
        "1 MB of .proto text": {"proto": documented(467, 20)},
        "5,000 methods, as text": {"proto": many, "limits": {"max_proto_bytes": 4 << 20}},
        "5,000 methods, as a descriptor set": {"descriptor_set": descriptor_set(folder, many)},
    }
    # The first start finds files that are not in memory yet.
    start(folder, [], 1)
    bare = [start(folder, [], 1) for _ in range(starts)]
    print(f"module: {MODULE.stat().st_size / 1e6:.2f} MB; Envoy without it: {middle(bare, 'cpu'):.1f} s of CPU to start, "
          f"{middle(bare, 'memory') / 2**20:.0f} MiB\n")
    print("| | Size of the configuration | Configured in, ms | CPU to start, s | Memory it adds, MiB | Each further worker, "
          "MiB | Each further configuration, MiB |\n|---|--:|--:|--:|--:|--:|--:|")
    for name, configuration in schemas.items():
        one = [start(folder, [configuration], 1) for _ in range(starts)]
        workers = [start(folder, [configuration], 5) for _ in range(max(1, starts // 2))]
        bare_workers = [start(folder, [], 5) for _ in range(max(1, starts // 2))]
        # Envoy configures the same one only once.
        different = [{**configuration, "query": {"ignored": [f"parameter{at}"]}} for at in range(3)]
        several = [start(folder, different, 1) for _ in range(max(1, starts // 2))]
        all_starts = one + workers + several
        base = middle(one, "memory")
        worker = (middle(workers, "memory") - middle(bare_workers, "memory") - base + middle(bare, "memory")) / 4
        cells = [
            f"{len(json.dumps(configuration)) / 1e6:.2f} MB",
            f"{min(took for of in all_starts for took in of.configured):.0f}",
            f"{middle(one, 'cpu'):.1f}",
            f"{(base - middle(bare, 'memory')) / 2**20:.0f}",
            f"{worker / 2**20:.1f}",
            f"{(middle(several, 'memory') - base) / 2 / 2**20:.1f}",
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def middle(starts: list[Start], figure: str) -> float:
    return statistics.median(getattr(of, figure) for of in starts)


def start(folder: Path, configurations: list[Any], workers: int) -> Start:
    """Starts Envoy with a listener for each configuration, or with one without the module."""
    struct = {"@type": "type.googleapis.com/google.protobuf.Struct"}
    filters = [[wasm("protobridge", MODULE, {**struct, "value": of})] for of in configurations] or [[]]
    (folder / "envoy.json").write_text(json.dumps({
        "static_resources": {
            "listeners": [listener(f"listener{at}", of) for at, of in enumerate(filters)],
            "clusters": [{"name": "upstream", "type": "STATIC"}],
        },
        "admin": {"address": address(0)},
    }))
    admin, log = folder / "admin", folder / "envoy.log"
    admin.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    command = [ENVOY, "--config-path", folder / "envoy.json", "--concurrency", str(workers), "--disable-hot-restart",
               "--log-level", "warning", "--component-log-level", "wasm:trace", "--log-format", "%E.%f %v",
               "--admin-address-path", admin]
    with running(command, log) as envoy:
        where = wait(envoy, log, lambda: admin.exists() and admin.read_text() or None)
        wait(envoy, log, lambda: live(where))
        used = cpu(envoy.pid)
        # What it needs no more it gives back soon after.
        time.sleep(1)
        memory = resident(envoy.pid)
    called, took = 0.0, []
    for line in log.read_text(errors="replace").splitlines():
        if call := CALL.match(line):
            called = float(call[1])
        elif returned := RETURN.match(line):
            if returned[2] != "1":
                raise Failure("the configuration is refused")
            took.append((float(returned[1]) - called) * 1e3)
    if configurations and not took:
        raise Failure(f"no configuration in Envoy's log:\n{log.read_text(errors='replace')[:2000]}")
    return Start(used, took, memory)


def live(admin: str) -> bool | None:
    try:
        with urllib.request.urlopen(f"http://{admin}/ready", timeout=5) as answer:
            return answer.status == 200 or None
    except OSError:
        return None


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10


def methods(count: int) -> str:
    """A service of so many methods, each with its rule."""
    lines = [
        'syntax = "proto3";', "package bench.methods;", 'import "google/api/annotations.proto";',
        "message Request { string name = 1; int32 size = 2; repeated string tags = 3; }",
        "message Reply { string text = 1; }",
        "service Service {",
    ]
    for at in range(count):
        group, place = divmod(at, 100)
        lines.append(f"  rpc Method{at}(Request) returns (Reply) {{")
        lines.append("    option (google.api.http) = {"
                     f' post: "/v1/group{group}/{{name}}/item{place}:verb{at}" body: "*" }};')
        lines.append("  }")
    return "\n".join([*lines, "}\n"])


def documented(messages: int, fields: int) -> str:
    """Messages with a comment at each field, as services have them."""
    kinds = ["string", "int64", "bool", "double", "repeated string", "bytes", "uint32"]
    lines = [
        'syntax = "proto3";', "package bench.documented;", 'import "google/api/annotations.proto";',
        "service Service {",
        '  rpc Get(Message0) returns (Message1) { option (google.api.http) = { get: "/v1/messages/{field_name_0}" }; }',
        "}",
    ]
    for at in range(messages):
        lines.append(f"// A message with the number {at}, of which a service tells what it is for in a sentence or two.")
        lines.append(f"message Message{at} {{")
        for field in range(fields):
            kind = f"Message{at * 7 % messages}" if field % 10 == 9 else kinds[(at + field) % len(kinds)]
            lines.append(f"  // What the field {field} holds, and when it is set by the one that sends it.")
            lines.append(f"  {kind} field_name_{field} = {field + 1};")
        lines.append("}")
    return "\n".join([*lines, ""])


def descriptor_set(folder: Path, text: str) -> str:
    import importlib.resources

    from grpc_tools import protoc

    (folder / "methods.proto").write_text(text)
    includes = [folder, importlib.resources.files("grpc_tools") / "_proto", googleapis()]
    compiled = folder / "methods.pb"
    command = ["protoc", *(f"--proto_path={include}" for include in includes), "--include_imports",
               f"--descriptor_set_out={compiled}", str(folder / "methods.proto")]
    if protoc.main(command) != 0:
        raise Failure("the schema does not compile")
    return base64.b64encode(compiled.read_bytes()).decode()


if __name__ == "__main__":
    sys.exit(main())
