"""Checks the manifests in deploy/: Kubernetes' own kinds against its schemas, the others against `schemas.yaml`;
Kong's configurations also against protobridge.meta.json, by which Kong judges them; and that what is in several of them
is the same.
"""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml
from manifests import DEPLOY, IMAGE, ROOT, configurations, files

# As Kubernetes has them.
VERSION = "1.35"

# Not for Kubernetes: values of a Helm chart, a file of docker compose, Envoy's own configuration, and kustomize's.
OTHERS = ("kong-ingress/values.yaml", "compose/compose.yaml", "kubernetes/envoy.yaml")


def main() -> int:
    problems = [*manifests(), *kong(), *schema(), *images()]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def manifests() -> Iterator[str]:
    kinds = yaml.safe_load(Path(__file__).with_name("schemas.yaml").read_text())["kinds"]
    unused = set(kinds)
    for file in files():
        name = str(file.relative_to(DEPLOY))
        if name in OTHERS or file.name == "kustomization.yaml":
            continue
        for document in yaml.safe_load_all(file.read_text()):
            kind = f"{document['apiVersion']}/{document['kind']}"
            unused.discard(kind)
            if kind in kinds:
                rest = {key: value for key, value in document.items() if key not in ("apiVersion", "kind", "metadata")}
                fields = {"type": "object", "required": list(kinds[kind]), "properties": kinds[kind]}
                found = errors(closed(fields), rest)
            else:
                found = kubernetes(document)
            yield from (f"{name}: {kind}: {error}" for error in found)
    yield from (f"schemas.yaml: {kind} is nowhere in deploy/" for kind in sorted(unused))


def closed(schema: Any) -> Any:
    """The same schema, for which a field that it doesn't name is an error."""
    if isinstance(schema, list):
        return [closed(element) for element in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        schema["additionalProperties"] = False
    return schema


def errors(schema: Any, value: Any) -> list[str]:
    validator = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def kubernetes(document: Any) -> list[str]:
    try:
        kubernetes_validate.validate(document, VERSION, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.InvalidSchemaError) as error:
        return [str(error)]
    return []


def kong() -> Iterator[str]:
    judge = json.loads((ROOT / "protobridge.meta.json").read_text())["config_schema"]
    for found in configurations():
        if found["host"] == "kong":
            where = f"{found['file']}, configuration {found['position']}"
            yield from (f"{where}: {error}" for error in errors(judge, found["configuration"]))


def schema() -> Iterator[str]:
    """Every descriptor set is that of the .proto files."""
    expected = compiled()
    for found in configurations():
        if text := found["configuration"].get("descriptor_set"):
            if gzip.decompress(base64.b64decode(text)) != expected:
                fresh = base64.encodebytes(gzip.compress(expected, mtime=0)).decode()
                yield f"{found['file']}: the descriptor set is not that of proto-fixtures/bookstore, which is\n{fresh}"


def compiled() -> bytes:
    """The descriptor set of the demo's .proto files, without what these import."""
    folder = ROOT / "proto-fixtures"
    names = [str(file.relative_to(folder)) for file in sorted(folder.glob("bookstore/**/*.proto"))]
    # There google/api is; protoc brings google/protobuf itself.
    [libraries] = ROOT.glob(".venv/lib/python*/site-packages")
    command = [ROOT / ".venv/bin/python", "-m", "grpc_tools.protoc", f"-I{folder}", f"-I{libraries}"]
    return subprocess.run(
        [*command, "--descriptor_set_out=/dev/stdout", *names], stdout=subprocess.PIPE, check=True
    ).stdout


def images() -> Iterator[str]:
    """The image has one name in all files."""
    for file in sorted(DEPLOY.rglob("*")):
        if file.is_file():
            for word in file.read_text().replace("=", " ").replace("oci://", "").split():
                image = word.strip("`\"',.;)}")
                if image.startswith(IMAGE.split(":")[0] + ":") and image != IMAGE:
                    yield f"{file.relative_to(ROOT)}: {image} is not {IMAGE}"


if __name__ == "__main__":
    sys.exit(main())
