"""Cases of Schemathesis's that aren't sent as it means them: wrong ones, of which what goes out is right."""

import json
import re

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    query = case.query or {}
    return not (
        any(value in ([], {}) for value in query.values())
        or any(is_text_anyway(case.operation, name, value) for name, value in query.items())
        or is_blank(case.body)
        or any(is_unprintable(value) for name, value in [*query.items(), *(case.path_parameters or {}).items()]
               if "mask" in name.lower())
    )


# An empty list or object has no place in a query: nothing of it is in the URL, and the request lacks a parameter that it
# needn't have. Schemathesis knows that of parameters, but not of the members of objects that are one.


def is_text_anyway(operation, name, value):
    """Whether it is a wrong value of a map of texts, `null` or a number: in a URL, all values are texts."""
    parameter = re.match(r"(.+?)\[", name)
    known = operation.query.get(parameter[1]) if parameter else None
    schema = known.definition.get("schema", {}) if known else {}
    return (schema.get("additionalProperties") or {}).get("type") == "string" and is_json(value)


def is_json(value):
    """Whether it is something else than a text, or was before it was written down for the URL."""
    try:
        return not isinstance(value, str) or json.loads(value) is not value
    except ValueError:
        return False


def is_blank(body):
    """Whether it is a body of white space alone, which is as good as none."""
    return isinstance(body, (bytes, str)) and not body.strip()


def is_unprintable(mask):
    """Whether it is a mask of field names that JSON has no form for, as `line_1`: a service may be told of it, but can't
    answer with it, as the service of these tests does."""
    names = re.split("[.,]", mask) if isinstance(mask, str) else []
    return any("_" in name and not re.fullmatch("[^_A-Z]*(_[a-z][^_A-Z]*)*", name) for name in names)
