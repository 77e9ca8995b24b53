"""Judges what Schemathesis finds by the request that went out.

Schemathesis knows what it meant to send, but not all of that can be written: of `null` a query has the text, an empty list
isn't there at all, and what is within an object of a query gets names that are nobody's. So a request that was meant to be
forbidden may be allowed, and the other way round. What the document allows is accepted rightly, and what it forbids is
refused rightly.
"""

import sys
from pathlib import Path

import schemathesis

sys.path.insert(0, str(Path(__file__).parent))

from document import allows  # noqa: E402


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether it is a failure indeed."""
    match type(failure).__name__:
        case "AcceptedNegativeData":
            return not allows(case.operation.schema.raw_schema, case.path, response.request)
        case "RejectedPositiveData":
            # Envoy's router adds the header: it was the service that refused, by rules of its own.
            is_refused_here = "x-envoy-upstream-service-time" not in response.headers
            return is_refused_here and allows(case.operation.schema.raw_schema, case.path, response.request)
        case "ServerError":
            # The service answers with what it got: names of the `.proto` in a mask, of which JSON has no form for some.
            return response.status_code != 502 or b" in a google.protobuf.FieldMask," not in response.content
    return True
