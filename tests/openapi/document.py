"""Whether an OpenAPI document allows a request, judged by the URL and the body that go out."""

import functools
import json
import re
from decimal import Decimal
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema_rs

# What the gateway takes besides for booleans and numbers, which would be a union of types in the document. Of numbers that
# JSON doesn't have another one stands in.
SPELLINGS = {"true": True, "false": False, "1": True, "0": False, "NaN": 0.5, "Infinity": 0.5, "-Infinity": 0.5}


class Forbidden(Exception):
    """The document doesn't allow the request, or it isn't clear that it does."""


def allows(document, path, request):
    """Whether the document has this request, of those that `requests` has prepared, at a path of it."""
    item = document["paths"][path]
    operation = item.get(request.method.lower())
    if operation is None:
        return False
    url = urlsplit(request.url)
    # Of a URL's path the gateway takes `%2F` for no end of a segment, and neither does this.
    names = re.findall(r"\{(.*?)\}", path)
    template = re.sub(r"\\\{.*?\\\}", "([^/]*)", re.escape(path))
    segments = re.fullmatch(template, url.path)
    try:
        if segments is None:
            raise Forbidden
        bound = {name: unquote(text, errors="strict") for name, text in zip(names, segments.groups())}
        query = parse_qsl(url.query, keep_blank_values=True, errors="strict")
        for parameter in item.get("parameters", []) + operation.get("parameters", []):
            read_parameter(document, parameter, bound, query)
        read_body(document, operation.get("requestBody"), request)
    except (Forbidden, UnicodeDecodeError):
        return False
    return True


def read_parameter(document, parameter, bound, query):
    name, schema = parameter["name"], resolved(document, parameter["schema"])
    if parameter["in"] == "path":
        read(document, schema, bound[name])
        return
    if parameter["in"] != "query":
        raise Forbidden
    if schema.get("type") == "array":
        value = [read(document, resolved(document, schema["items"]), text) for key, text in query if key == name]
    elif schema.get("type") == "object":
        value = read_object(document, parameter, schema, query)
    else:
        texts = [text for key, text in query if key == name]
        if len(texts) > 1:
            raise Forbidden
        if texts:
            read(document, schema, texts[0])
        value = texts
    if value:
        # What has one value only is valid by now.
        if schema.get("type") in ("array", "object"):
            validate(document, schema, value)
    elif parameter.get("required"):
        raise Forbidden


def read_object(document, parameter, schema, query):
    """An object's members, by their own names or as `name[member]`."""
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", {})
    value = {}
    for key, text in query:
        if parameter.get("style", "form") == "deepObject":
            found = re.fullmatch(re.escape(parameter["name"]) + r"\[(.*)\]", key, re.DOTALL)
            if found is None:
                continue
            key = found[1]
        elif key not in properties:
            continue
        if key in value:
            raise Forbidden
        value[key] = read(document, resolved(document, properties.get(key, more)), text)
    return value


def read(document, schema, text):
    """The value that a text is where this schema holds."""
    values = [text, SPELLINGS[text]] if text in SPELLINGS else [text]
    if re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?", text):
        number = Decimal(text)
        values.append(int(number) if number == int(number) else float(number))
        if number == int(number) and schema.get("format") in ("int64", "uint64"):
            # The document has them in quotes, without a fraction or an exponent.
            values.append(str(int(number)))
    for value in values:
        if is_valid(document, schema, value):
            return value
    raise Forbidden


def read_body(document, body, request):
    sent = request.body or b""
    if isinstance(sent, str):
        sent = sent.encode()
    # White space alone is no body.
    if not sent.strip(b" \t\r\n"):
        if body and body.get("required"):
            raise Forbidden
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if not body or kind != "application/json" or kind not in body["content"]:
        raise Forbidden
    try:
        value = json.loads(sent, parse_constant=forbid)
    except ValueError:
        raise Forbidden from None
    validate(document, body["content"][kind]["schema"], value)


def forbid(_constant):
    """NaN and its like, which Python takes for JSON."""
    raise Forbidden


def resolved(document, schema):
    while isinstance(schema, dict) and "$ref" in schema:
        _, _, kind, name = schema["$ref"].split("/")
        schema = document["components"][kind][name.replace("~1", "/").replace("~0", "~")]
    return schema


def validate(document, schema, value):
    if not is_valid(document, schema, value):
        raise Forbidden


def is_valid(document, schema, value):
    return validator(json.dumps({"allOf": [schema], "components": document["components"]})).is_valid(value)


@functools.lru_cache(maxsize=1000)
def validator(schema):
    return jsonschema_rs.Draft202012Validator(json.loads(schema), validate_formats=True)
