"""The manifests in deploy/, and the configurations of protobridge in them.

As a program it prints every such configuration in the repository as JSON: a list of objects with `file` (from the
root), `host` (`envoy` or `kong`), `position` (the count within the file) and `configuration`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
IMAGE = "registry.example.com/protobridge:0.2.0"

# Beside those in deploy/.
EXAMPLES = (ROOT / "envoy.yaml", ROOT / "kong-plugin.yaml")

WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"


class Mistake(Exception):
    """A manifest that doesn't do what it is there for. The message says where and why."""


def documents(*parts: str) -> list[dict[str, Any]]:
    """What a file below deploy/ holds."""
    text = DEPLOY.joinpath(*parts).read_text()
    return [document for document in yaml.safe_load_all(text) if document is not None]


def one(found: list[dict[str, Any]], kind: str, name: str | None = None) -> dict[str, Any]:
    """The one document of this kind, and of this name."""
    fitting = [
        document
        for document in found
        if document.get("kind") == kind and (name is None or document["metadata"]["name"] == name)
    ]
    if len(fitting) != 1:
        raise Mistake(f"expected one {kind} {name or ''}, found {len(fitting)}")
    return fitting[0]


def files() -> list[Path]:
    """All files of YAML below deploy/."""
    return sorted(DEPLOY.rglob("*.yaml"))


def configurations() -> Iterator[dict[str, Any]]:
    """As above."""
    for file in (*EXAMPLES, *files()):
        found: list[tuple[str, Any]] = []
        text = file.read_text()
        for document in yaml.safe_load_all(text):
            collect(document, found)
        # Each has one of these, and nothing else does.
        if len(found) != len(re.findall(r"^ *(proto|protos|descriptor_set):", text, re.MULTILINE)):
            raise Mistake(f"{file}: a configuration is where none was looked for")
        for position, (host, configuration) in enumerate(found):
            yield {
                "file": str(file.relative_to(ROOT)),
                "host": host,
                "position": position,
                "configuration": configuration,
            }


def collect(node: Any, found: list[tuple[str, Any]]) -> None:
    """Adds the configurations in this part of a file: each platform has its own place for them."""
    if isinstance(node, list):
        for element in node:
            collect(element, found)
    if not isinstance(node, dict):
        return
    if node.get("@type") == WASM:
        found.append(("envoy", node["config"]["configuration"]["value"]))
    elif "pluginConfig" in node:
        found.append(("envoy", node["pluginConfig"]))
    elif node.get("kind") == "EnvoyExtensionPolicy" and "spec" in node:
        found += [("envoy", wasm["config"]) for wasm in node["spec"]["wasm"]]
    elif "config" in node and "protobridge" in (node.get("plugin"), node.get("name")):
        found.append(("kong", node["config"]))
    else:
        for value in node.values():
            collect(value, found)


if __name__ == "__main__":
    print(json.dumps(list(configurations())))
