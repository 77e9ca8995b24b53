"""Runs the tour of the demo behind a real Envoy that is configured as a platform of deploy/ configures it, and compares
the answers. `platforms.py` has the platforms. ENVOY_BIN names another Envoy than that of .venv.

usage: behind_envoy.py PLATFORM
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "examples/bookstore"))

import demo  # noqa: E402
from tour import BIG_SLEEP, TIME, TOUR, Live, Step, curl  # noqa: E402

PYTHON = ROOT / "target/deploy/venv/bin/python"
MODULE = ROOT / "target/wasm32-wasip1/release/protobridge.wasm"

COVER = "An answer that isn't JSON (google.api.HttpBody)"
STREAM_OF_CHANGES = "A server stream"

# Longer than all that these platforms let Envoy hold.
LONG = "x" * 70_000
MORE = (
    curl("An escaped slash is no separator", "GET", "/v1/shelves/a%2Fb/books", answer={}),
    curl(
        "More than Envoy holds, in both directions",
        "POST",
        "/v1/shelves/long/books?bookId=long",
        f'{{"title": "{LONG}"}}',
        status=201,
        answer={"name": "shelves/long/books/long", "title": LONG, "createTime": TIME, "updateTime": TIME},
    ),
)


def main() -> int:
    [platform] = sys.argv[1:]
    for variable in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
        os.environ.pop(variable, None)
        os.environ.pop(variable.upper(), None)
    with tempfile.TemporaryDirectory(prefix="protobridge-deploy-") as name:
        folder = Path(name)
        with demo.bookstore(folder) as backend:
            port = demo.free_port()
            arguments = [platform, MODULE, folder, str(port), str(backend)]
            made = subprocess.run([PYTHON, ROOT / "tests/deploy/platforms.py", *arguments])
            if made.returncode != 0:
                return 1
            with demo.started_envoy(folder / "envoy.json", port, folder / "envoy.log") as address:
                steps = [*tour(platform), *(metrics(folder) if platform in ("kubernetes", "compose") else ())]
                problems = [
                    problem
                    for step in steps
                    if (problem := demo.watch(step, address, 0) if isinstance(step, Live) else demo.take(step, address))
                ]
    demo.report(problems, len(steps))
    return 1 if problems else 0


# Pages of the demo: a file of Envoy's, and what the module describes where it is asked to.
PAGES = {"http://{address}/", "http://{address}/docs"}


def tour(platform: str) -> Iterator[Step | Live]:
    """What is asked behind this platform, and what it has to answer there."""
    if platform == "istio-envoyfilter-without-image":
        # What stands in the module's place denies all.
        denied = dict(answer="RBAC: access denied", status=403, content_type="text/plain")
        yield curl("Without the module nothing gets through", "GET", "/v1/shelves/mystery/books", **denied)
        grpc = "/bookstore.v1.Bookstore/GetBook"
        yield curl("Past the module nothing does either", "POST", grpc, "{}", **denied)
        return
    for step in TOUR:
        if not PAGES.isdisjoint(step.command):
            continue
        if step.title == COVER and platform == "envoy-gateway-full-without-patch":
            # Envoy before 1.40 holds headers whatever it is told, and 1.40 doesn't: either content-type is right.
            continue
        if step.title == COVER and platform in ("istio-trafficextension", "envoy-gateway-plain"):
            # Headers that aren't held go out before the message, which has the content-type.
            step = dataclasses.replace(step, content_type="application/octet-stream")
        if platform == "istio-wasmplugin":
            if isinstance(step, Live):
                # A call's answer comes whole: this one would have no end.
                continue
            if step.title == STREAM_OF_CHANGES:
                # For the steps left out have changed nothing.
                step = dataclasses.replace(step, answer={"book": BIG_SLEEP})
        yield step
    yield from MORE


def metrics(folder: Path) -> Iterator[Step]:
    """What Prometheus gets after the tour, and what nobody gets: the rest of Envoy's admin interface."""
    get = ("curl", "-q", "-sS", "--unix-socket", str(folder / "metrics"))
    name = 'protobridge_requests{grpc_method="bookstore.v1.Bookstore.ListBooks",grpc_status="OK"}'
    count = ("sh", "-c", f"{shlex.join(get)} http://envoy/stats/prometheus | grep -c -F {shlex.quote(name)}")
    yield Step("Prometheus finds the metrics", count, 1)
    refused = (*get, "-o", "/dev/null", "-w", "%{http_code}")
    for method, path in (("GET", "/stats"), ("POST", "/quitquitquit"), ("POST", "/stats/prometheus")):
        yield Step("The rest of the admin interface isn't there", (*refused, "-X", method, f"http://envoy{path}"), 404)


if __name__ == "__main__":
    sys.exit(main())
