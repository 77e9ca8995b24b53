"""Runs the bookstore behind a real Envoy with protobridge, and shows what curl gets from it.

Without options it stays up after the tour, until Ctrl-C. With --check it leaves, non-zero when an answer wasn't the
expected one.
Everything listens on free ports of 127.0.0.1, and everything that was started ends with this script.
`make demo` and `make demo-check` install what it needs.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import difflib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tour import GUARDED, TIME, TOUR, Live, Step

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/bookstore"
PROTO_FILES = sorted(ROOT.glob("proto-fixtures/bookstore/**/*.proto"))
ENVOY = Path(os.environ.get("ENVOY_BIN") or Path(sys.executable).with_name("envoy"))

# Seconds. Envoy compiles the module when it starts, which takes a while on a busy machine.
START_LIMIT = 120
STOP_LIMIT = 10
CURL_LIMIT = 30
# Between what happens while a stream is open, for a reader to see that each message comes by itself.
PAUSE = 1.5


class Failure(Exception):
    """Something didn't come up. The message says all there is to say."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare the answers and leave")
    parser.add_argument(
        "--config", type=Path, default=ROOT / "envoy.yaml", help="instead of envoy.yaml, with the same ports"
    )
    arguments = parser.parse_args()

    # Ctrl-C, `kill` and a closed terminal all leave through the context managers below.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    # These would send requests to loopback elsewhere.
    for variable in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
        os.environ.pop(variable, None)
        os.environ.pop(variable.upper(), None)

    try:
        with tempfile.TemporaryDirectory(prefix="protobridge-demo-") as name:
            folder = Path(name)
            with (
                bookstore(folder) as backend,
                server("hooks.py", folder) as hooks,
                envoy(arguments.config, backend, hooks, folder) as (address, guarded),
            ):
                print(configuration_words(folder / "envoy.yaml"))
                pause = 0 if arguments.check else PAUSE
                problems = [
                    problem
                    for steps, place in ((TOUR, address), (GUARDED, guarded))
                    for step in steps
                    if (problem := watch(step, place, pause) if isinstance(step, Live) else take(step, place))
                ]
                checks = len(TOUR) + len(GUARDED)
                if arguments.check:
                    problems += drift(arguments.config)
                    checks += len(PROTO_FILES)
                report(problems, checks)
                if not arguments.check:
                    print(closing_words(address, guarded, folder), flush=True)
                    stay()
                return 1 if problems else 0
    except Failure as failure:
        report([str(failure)], 1)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def bookstore(folder: Path) -> contextlib.AbstractContextManager[int]:
    """The backend, and the port that it took."""
    return server("server.py", folder)


@contextlib.contextmanager
def server(script: str, folder: Path) -> Iterator[int]:
    """A gRPC server of this folder's, and the port that it took."""
    log = folder / f"{script}.log"
    with running([sys.executable, EXAMPLE / script, "--port", "0"], log) as process:
        ready = wait(process, log, lambda: re.search(r"listening on .*:(\d+)\n", log.read_text()))
        yield int(ready[1])


@contextlib.contextmanager
def envoy(source: Path, backend: int, hooks: int, folder: Path) -> Iterator[tuple[str, str]]:
    """Envoy with the ports of `source` and of hooks.yaml replaced, and the host:port of the listener of each."""
    port, guarded = free_port(), free_port()
    config = folder / "envoy.yaml"
    config.write_text(moved(source, {8080: port, 50051: backend}))
    more = moved(EXAMPLE / "hooks.yaml", {8081: guarded, 50052: hooks})
    with started_envoy(config, port, folder / "envoy.log", "--config-yaml", more) as address:
        yield address, f"127.0.0.1:{guarded}"


def moved(source: Path, ports: dict[int, int]) -> str:
    """A configuration with other ports."""
    text = source.read_text()
    for written, used in ports.items():
        if text.count(f"port_value: {written}") != 1:
            raise Failure(f"{source}: expected `port_value: {written}` once, to put another port there")
        text = text.replace(f"port_value: {written}", f"port_value: {used}")
    return text


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def started_envoy(config: Path, port: int, log: Path, *more: str) -> Iterator[str]:
    """Envoy with a configuration that listens on `port`, and its host:port. `more`: further arguments."""
    command = [ENVOY, "--config-path", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    command += more
    with running(command, log) as process:
        wait(process, log, lambda: accepts(port) or None)
        yield f"127.0.0.1:{port}"


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def running(command: list[Any], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended on the way out, and by the kernel (on Linux) should this one be killed."""
    with log.open("wb") as output:
        # In a session of its own, so that Ctrl-C reaches this script alone and the order of ending is its own.
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def wait(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], T | None]) -> T:
    """What `ready` answers once it isn't None, or a failure that shows the log."""
    limit = time.monotonic() + START_LIMIT
    while process.poll() is None and time.monotonic() < limit:
        if (answer := ready()) is not None:
            return answer
        time.sleep(0.05)
    ended = (
        f"ended with {process.returncode}" if process.returncode is not None else f"isn't ready after {START_LIMIT} s"
    )
    text = log.read_text(errors="replace")
    # What the module says comes first in Envoy's log, and all the rest of it only follows from that.
    said = re.search(r"\[error\]\[wasm\] \S+ wasm log: (.*?)(?=\n\[\d{4}-|\Z)", text, re.DOTALL)
    raise Failure(f"{log.stem} {ended}:\n\n" + (said[1].strip() if said else "\n".join(text.splitlines()[-30:])))


def take(step: Step, address: str) -> str | None:
    """Runs one step of the tour and shows it. A difference to what was expected is the result."""
    words = [word.replace("{address}", address) for word in step.command]
    print(f"\n# {step.title}\n$ {shown(words)}", flush=True)
    if step.status is None:
        run = subprocess.run(words, capture_output=True, text=True)
        expected, got, body = f"exit code {step.exit_code}", f"exit code {run.returncode}", run.stdout
    else:
        # After the body, on a line of its own: what curl would show only among all the headers.
        words[1:1] = ["-q", "-sS", "--max-time", str(CURL_LIMIT), "-w", "\n%{http_code} %{content_type}"]
        run = subprocess.run(words, capture_output=True, text=True)
        expected = f"{step.status} {step.content_type}"
        body, _, got = run.stdout.rpartition("\n")
        print(got)
    print(pretty(parsed(body)) + run.stderr, flush=True)
    expected += "\n" + pretty(step.answer, sort=True)
    got += "\n" + pretty(settled(parsed(body)), sort=True) + run.stderr
    return difference(step.title, expected, got)


def watch(step: Live, address: str, pause: float) -> str | None:
    """Shows a stream, each message before the next one is brought about. The result is as of `take`."""
    words = [word.replace("{address}", address) for word in step.command]
    print(f"\n# {step.title}\n$ {shown(words)}", flush=True)
    # With the headers in front of the body. The time limit ends a stream from which something is missing.
    words[1:1] = ["-q", "-sS", "-i", "--max-time", str(CURL_LIMIT)]
    stream = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        # A status line and fields, or what curl has to say.
        head = "\n".join(iter(lambda: stream.stdout.readline().strip(), ""))
        answered = re.match(r"HTTP/\S+ (\d+)", head)
        content_type = re.search(r"^content-type: (.*)", head, re.MULTILINE)
        expected = [f"200 {step.content_type}"]
        got = [f"{answered[1]} {content_type[1]}" if answered and content_type else head]
        print(*got, sep="\n", flush=True)
        start = time.monotonic()
        for command, message in step.events:
            if command is not None:
                time.sleep(pause)
                command = [word.replace("{address}", address) for word in command]
                print("    meanwhile $ " + shown(command).replace("\n", "\n    "), flush=True)
                command[1:1] = ["-q", "-sS", "--fail", "--max-time", str(CURL_LIMIT), "-o", os.devnull]
                subprocess.run(command)
            line = next((line for line in stream.stdout if line.strip()), "the stream has ended").rstrip("\n")
            print(f"{time.monotonic() - start:4.1f} s  {line}", flush=True)
            expected.append(step.mark + pretty(message, sort=True))
            got.append(step.mark + pretty(settled(parsed(line.removeprefix(step.mark))), sort=True))
            if not line.startswith(step.mark):
                got.append(f"not behind {step.mark!r}")
    finally:
        stream.terminate()
        stream.communicate()
    return difference(step.title, "\n".join(expected), "\n".join(got))


def difference(title: str, expected: str, got: str) -> str | None:
    if expected == got:
        return None
    lines = difflib.unified_diff(expected.splitlines(), got.splitlines(), "expected", "got", n=100, lineterm="")
    return f"{title}\n" + "\n".join(lines)


def shown(words: list[str]) -> str:
    """A command as one would type it."""
    words = [".venv/bin/python" if word == sys.executable else word.removeprefix(f"{ROOT}/") for word in words]
    return re.sub(r" (?=-[Hd] )", " \\\n    ", shlex.join(words))


def parsed(body: str) -> Any:
    """The JSON value, or the text where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return body


def pretty(answer: Any, sort: bool = False) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer, indent=2, ensure_ascii=False, sort_keys=sort)


def settled(answer: Any) -> Any:
    """The answer without what differs from run to run: the times that the service chose."""
    if isinstance(answer, list):
        return [settled(element) for element in answer]
    if not isinstance(answer, dict):
        return answer
    chosen = {"createTime", "updateTime", "dueTime"}
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}|\d{6}|\d{9}))?Z"
    return {
        key: TIME if key in chosen and isinstance(value, str) and re.fullmatch(stamp, value) else settled(value)
        for key, value in answer.items()
    }


def drift(config: Path) -> list[str]:
    """The .proto files that the configuration carries in another version than proto-fixtures does."""
    text = config.read_text()
    indentation = re.search(r"^( *)syntax = ", text, re.MULTILINE)
    return [
        f"{file.relative_to(ROOT)} and its copy in {config.name} differ"
        for file in PROTO_FILES
        if indentation is None or textwrap.indent(file.read_text(), indentation[1]) not in text
    ]


def report(problems: list[str], checks: int) -> None:
    for problem in problems:
        print(f"\nFAILED: {problem}")
    verdict = "FAILED" if problems else "ok"
    print(f"\ndemo result: {verdict}. {checks - len(problems)} passed; {len(problems)} failed", flush=True)


def stay() -> None:
    """Until a signal comes, or whoever started this script is gone."""
    parent = os.getppid()
    with contextlib.suppress(KeyboardInterrupt):
        while os.getppid() == parent:
            time.sleep(0.5)
    print("\nStopped.")


def configuration_words(config: Path) -> str:
    """The part of the configuration that makes JSON of gRPC, up to the end of the service."""
    lines = config.read_text().splitlines()
    start = next((index for index, line in enumerate(lines) if line.strip() == "- name: protobridge"), 0)
    end = next((index for index, line in enumerate(lines) if line.strip().startswith("message ")), len(lines))
    excerpt = textwrap.dedent("\n".join(lines[start:end])).rstrip()
    return f"# Envoy is running with envoy.yaml, on free ports. The part that matters:\n\n{excerpt}\n…"


def closing_words(address: str, guarded: str, folder: Path) -> str:
    return f"""
The bookstore stays up until Ctrl-C. A browser shows the mystery shelf as it changes: http://{address}/
and the methods, to be tried: http://{address}/docs (its script comes from a CDN)
Some more to try, in another terminal:

    curl -i 'http://{address}/v1/books'
    curl -i 'http://{address}/v1/books?filter.authors=Stanis%C5%82aw+Lem'
    curl -i 'http://{address}/v1/shelves/mystery/books' -H 'content-type: application/json' -d '{{"title": "Playback"}}'
    curl -i 'http://{address}/v1/shelves/mystery/books' -H 'content-type: application/json' -d '{{"title": ["a list"]}}'
    curl -i 'http://{guarded}/v1/shelves/fiction/books/solaris:lend' -H 'content-type: application/json' -d '{{}}'
    curl -i 'http://{guarded}/v1/shelves/fiction/books/solaris:lend' -H 'content-type: application/json' -d '{{}}' \\
        -H 'authorization: Bearer tess'
    .venv/bin/python examples/bookstore/client.py {address} watch fiction

The configuration in use is {folder}/envoy.yaml, Envoy's log is beside it.
To see what a mistake in a .proto looks like: stop this, make one in envoy.yaml (`strin title = 2;`), and run
`make demo` again."""


if __name__ == "__main__":
    sys.exit(main())
