"""Whether the gateway takes those texts in a query that its document has, at the limits of each type. Argument: its URL."""

import sys

import requests
from document import Forbidden, read_parameter

TEXTS = """
    0 -0 1 -1 007 +1 1.0 1e3 .5 5. 0x10 1_000 true True null NaN nan Infinity -Infinity
    2147483647 2147483648 -2147483648 -2147483649 4294967295 4294967296 1234567890123456789
    9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
    12345678901234567890 18446744073709551615 18446744073709551616 3.4e38 3.5e38 -3.5e38
    RED red NULL_VALUE AAEC AAE AA A A=== +/+/ -_-_ a_b aB a.b,c a..b a, __main__ line_1 A_b *
    0s 1.5s -1.5s 1.s 200000000000s 315576000001s 1.1234567891s
    1970-01-01T00:00:00Z 1970-01-01T00:00:00+01:00 9999-12-31T23:59:59.999999999Z 10000-01-01T00:00:00Z 1970-01-01
""".split() + ["", " 1", "é", "\x00", "\x07"]

url = sys.argv[1]
session = requests.Session()
document = session.get(f"{url}/openapi.json").json()


def names(parameter):
    """Under which names it goes into the query."""
    if parameter.get("style") == "deepObject":
        return [f"{parameter['name']}[{text}]" for text in TEXTS if text.isdecimal()]
    return list(parameter["schema"].get("properties", {parameter["name"]: {}}))


def is_allowed(parameter, name, text):
    try:
        read_parameter(document, parameter, {}, [(name, text)])
    except Forbidden:
        return False
    return True


different = []
seen = []
for parameter in document["paths"]["/v1/echo"]["get"]["parameters"]:
    if parameter["schema"] in seen:
        continue
    seen.append(parameter["schema"])
    for name in names(parameter):
        for text in TEXTS if not name.endswith("]") else ["1"]:
            answer = session.get(f"{url}/v1/echo", params={name: text})
            # The gateway took a name of the `.proto` for which JSON has none, and the service answered with it.
            is_unprintable = answer.status_code == 502 and " in a google.protobuf.FieldMask," in answer.text
            if (answer.status_code == 200 or is_unprintable) != is_allowed(parameter, name, text):
                different.append(f"{name}={text!r}: {answer.status_code}, which the document doesn't say")
assert not different, "\n".join(different)
