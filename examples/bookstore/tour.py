"""What the demo asks the bookstore, and what it has to answer."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JSON = "application/json"
NDJSON = "application/x-ndjson"
EVENT_STREAM = "text/event-stream"
CLIENT = Path(__file__).with_name("client.py")

# Stands in expected answers for a time that the service chose.
TIME = "<time>"


@dataclass(frozen=True)
class Step:
    """One command of the tour."""

    title: str
    # The command's words. `{address}` in any of them becomes Envoy's host:port.
    command: tuple[str, ...]
    # A JSON value, or text when the content type isn't JSON.
    answer: Any
    # None for native gRPC calls, which have neither.
    status: int | None = None
    content_type: str | None = None
    # Of native gRPC calls. Where it isn't 0, the answer is what they write to stderr.
    exit_code: int = 0


@dataclass(frozen=True)
class Live:
    """A stream, and what is done while it is open."""

    title: str
    # As in Step. It doesn't end by itself.
    command: tuple[str, ...]
    content_type: str
    # What goes in front of each message.
    mark: str
    # One after the other: the command that brings the message about, none for the first ones, and the message.
    events: tuple[tuple[tuple[str, ...] | None, Any], ...]


def curl(
    title: str,
    method: str,
    path: str,
    body: str | None = None,
    *,
    header: str | None = None,
    answer: Any,
    status: int = 200,
    content_type: str = JSON,
) -> Step:
    """An HTTP request, by the command line that a reader would type."""
    return Step(title, curl_words(method, path, body, header), answer, status, content_type)


def curl_words(method: str, path: str, body: str | None = None, header: str | None = None) -> tuple[str, ...]:
    command = ["curl"]
    if method != "GET":
        command += ["-X", method]
    command.append("http://{address}" + path)
    if header is not None:
        command += ["-H", header]
    if body is not None:
        command += ["-H", f"content-type: {JSON}", "-d", body]
    return tuple(command)


def native(title: str, *words: str, answer: Any, exit_code: int = 0) -> Step:
    """A gRPC call through the same listener."""
    return Step(title, (sys.executable, str(CLIENT), "{address}", *words), answer, exit_code=exit_code)


SWAGGER_UI = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.35.0"

DOCS = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bookstore</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{SWAGGER_UI}/swagger-ui.css" integrity="\
sha384-WlYgdmXYOOBWL5apwjDEZwN+U3HmXSSu5R6V5aGxEcf7z+KuRNwBhoxKVN1i3D5I" crossorigin="anonymous">
<div id="document" data-document="./openapi.json"></div>
<script src="{SWAGGER_UI}/swagger-ui-bundle.js" integrity="\
sha384-gjRm0bEPMeTmMh5jT2cHccIwCUZSTd8YC+j0d0sXw0MdGEfScduGpSyF3ZSSLkX9" crossorigin="anonymous"></script>
<script src="docs/init.js"></script>
</html>
"""


def bad_request(field: str, why: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": field, "description": why}],
    }


def resource(name: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.ResourceInfo",
        "resourceType": "bookstore.v1.Book",
        "resourceName": name,
    }


DUNE = {
    "name": "shelves/fiction/books/dune",
    "title": "Dune",
    "authors": [{"displayName": "Frank Herbert", "birthYear": 1920}],
    "genre": "SCIENCE_FICTION",
    "price": {"currencyCode": "EUR", "units": "9", "nanos": 990000000},
    "labels": {"binding": "cloth", "signed": "no"},
    "publishTime": "1965-08-01T00:00:00Z",
    "pageCount": 412,
    "identifiers": {"isbn": "9780441013593", "openLibrary": "OL893415W"},
    "createTime": TIME,
    "updateTime": TIME,
}

NEUROMANCER = {
    "name": "shelves/fiction/books/neuromancer",
    "title": "Neuromancer",
    "authors": [{"displayName": "William Gibson", "birthYear": 1948}],
    "genre": "SCIENCE_FICTION",
    "price": {"currencyCode": "EUR", "units": "9", "nanos": 500000000},
    "publishTime": "1984-07-01T00:00:00Z",
}

BIG_SLEEP = {
    "name": "shelves/mystery/books/big-sleep",
    "title": "The Big Sleep",
    "authors": [{"displayName": "Raymond Chandler", "birthYear": 1888}],
    "genre": "MYSTERY",
    "price": {"currencyCode": "EUR", "units": "7", "nanos": 500000000},
    "publishTime": "1939-02-06T00:00:00Z",
}

LONG_GOODBYE = {
    "name": "shelves/mystery/books/long-goodbye",
    "title": "The Long Goodbye",
    "createTime": TIME,
    "updateTime": TIME,
}

LONGER_SLEEP = {**BIG_SLEEP, "pageCount": 277, "updateTime": TIME}

SOLARIS = "shelves/fiction/books/solaris"

WATCH = "/v1/shelves/mystery/books:watch"

MASKED_DUNE = {**DUNE, "identifiers": {**DUNE["identifiers"], "openLibrary": "***W"}}

PATCHED = {**DUNE, "price": {**DUNE["price"], "units": "12"}, "labels": {"signed": "yes"}}

TOUR = (
    curl(
        "Create a book: the shelf from the path, the id from the query, the book from the body",
        "POST",
        "/v1/shelves/fiction/books?bookId=dune",
        """{
  "title": "Dune",
  "authors": [{"displayName": "Frank Herbert", "birthYear": 1920}],
  "genre": "SCIENCE_FICTION",
  "price": {"currencyCode": "EUR", "units": "9", "nanos": 990000000},
  "labels": {"binding": "cloth", "signed": "no"},
  "publishTime": "1965-08-01T02:00:00+02:00",
  "pageCount": 412,
  "identifiers": {"isbn": 9780441013593, "openLibrary": "OL893415W"}
}""",
        status=201,
        answer=DUNE,
    ),
    curl("Get it", "GET", "/v1/shelves/fiction/books/dune", answer=DUNE),
    curl(
        "A transform: the gateway masks a field for guests",
        "GET",
        "/v1/shelves/fiction/books/dune",
        header="x-role: guest",
        answer=MASKED_DUNE,
    ),
    native("For guests that speak gRPC too", "get", DUNE["name"], "--metadata", "x-role: guest", answer=MASKED_DUNE),
    curl(
        "List books: enums, nested messages and timestamps as query parameters, in either spelling",
        "GET",
        "/v1/shelves/fiction/books?filter.genre=SCIENCE_FICTION&filter.max_price.units=10"
        "&filter.publishedAfter=1960-01-01T00:00:00Z&order=NEWEST_FIRST&pageSize=1",
        answer={"books": [NEUROMANCER], "nextPageToken": "1", "totalSize": "2"},
    ),
    curl(
        "Change a book: only the fields in the body change, nested ones too",
        "PATCH",
        "/v1/shelves/fiction/books/dune",
        '{"price": {"units": "12"}, "labels": {"signed": "yes"}}',
        answer=PATCHED,
    ),
    curl(
        "The same with an update mask of your own: what it doesn't name stays",
        "PATCH",
        "/v1/shelves/fiction/books/dune?updateMask=pageCount",
        '{"title": "Not Dune", "pageCount": 688}',
        answer={**PATCHED, "pageCount": 688},
    ),
    curl(
        "A custom verb, with a duration. Who borrows is who the gateway says, whatever the client does",
        "POST",
        "/v1/shelves/fiction/books/dune:lend",
        '{"borrower": "Feyd", "period": "864000s"}',
        header="x-user: Paul",
        answer={"book": DUNE["name"], "borrower": "Paul", "period": "864000s", "dueTime": TIME},
    ),
    curl(
        "An answer that isn't JSON (google.api.HttpBody)",
        "GET",
        "/v1/shelves/fiction/books/dune/cover",
        content_type="image/svg+xml",
        answer='<svg xmlns="http://www.w3.org/2000/svg"><text y="20">Dune</text></svg>',
    ),
    curl(
        "An error of the service, with its details",
        "GET",
        "/v1/shelves/fiction/books/dune-2",
        status=404,
        answer={
            "code": 5,
            "message": "there is no shelves/fiction/books/dune-2",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "BOOK_NOT_FOUND",
                    "domain": "bookstore.example",
                    "metadata": {"name": "shelves/fiction/books/dune-2"},
                },
                resource("shelves/fiction/books/dune-2"),
            ],
        },
    ),
    curl(
        "Another: someone else has the book",
        "POST",
        "/v1/shelves/fiction/books/dune:lend",
        "{}",
        header="x-user: Feyd",
        status=400,
        answer={
            "code": 9,
            "message": "shelves/fiction/books/dune is lent",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
                    "violations": [{"type": "LENT", "subject": DUNE["name"], "description": "Paul has it"}],
                }
            ],
        },
    ),
    curl(
        "A value of the wrong type: the service is never asked",
        "POST",
        "/v1/shelves/fiction/books",
        '{"title": "Emma", "authors": [{"displayName": "Jane Austen", "birthYear": "1775?"}]}',
        status=400,
        answer={
            "code": 3,
            "message": 'request body: authors[0].birthYear: expected a 32-bit integer, found string "1775?" (at byte 74)',
            "details": [bad_request("authors[0].birthYear", 'expected a 32-bit integer, found string "1775?"')],
        },
    ),
    curl(
        "A typing error in the query",
        "GET",
        "/v1/books?filter.genre=FANTASSY",
        status=400,
        answer={
            "code": 3,
            "message": 'filter.genre: expected a name or number of bookstore.v1.Genre, found "FANTASSY"',
            "details": [
                bad_request("filter.genre", 'expected a name or number of bookstore.v1.Genre, found "FANTASSY"')
            ],
        },
    ),
    curl(
        "A book without a title: this time it is the service that says no",
        "POST",
        "/v1/shelves/fiction/books",
        "{}",
        status=400,
        answer={
            "code": 3,
            "message": "book.title: a book needs a title",
            "details": [bad_request("book.title", "a book needs a title")],
        },
    ),
    curl(
        "A method that this path doesn't have",
        "PUT",
        "/v1/shelves/fiction/books/dune",
        "{}",
        status=405,
        answer={
            "code": 12,
            "message": "/v1/shelves/fiction/books/dune is not bound to PUT; it allows DELETE, GET, PATCH",
        },
    ),
    curl("Delete the book", "DELETE", "/v1/shelves/fiction/books/dune", answer={}),
    Live(
        "A stream as NDJSON: first the books that are there, then each change when it happens",
        ("curl", "-N", "http://{address}" + WATCH, "-H", f"accept: {NDJSON}"),
        NDJSON,
        "",
        (
            (None, {"book": BIG_SLEEP}),
            (
                curl_words("POST", "/v1/shelves/mystery/books?bookId=long-goodbye", '{"title": "The Long Goodbye"}'),
                {"book": LONG_GOODBYE},
            ),
            (
                curl_words("PATCH", "/v1/" + LONG_GOODBYE["name"], '{"pageCount": 320}'),
                {"book": {**LONG_GOODBYE, "pageCount": 320}},
            ),
            (curl_words("DELETE", "/v1/" + LONG_GOODBYE["name"]), {"deleted": LONG_GOODBYE["name"]}),
        ),
    ),
    Live(
        "The same stream as a browser's EventSource asks for it",
        ("curl", "-N", "http://{address}" + WATCH, "-H", f"accept: {EVENT_STREAM}"),
        EVENT_STREAM,
        "data: ",
        (
            (None, {"book": BIG_SLEEP}),
            (curl_words("PATCH", "/v1/" + BIG_SLEEP["name"], '{"pageCount": 277}'), {"book": LONGER_SLEEP}),
        ),
    ),
    curl(
        "A page that does so",
        "GET",
        "/",
        content_type="text/html; charset=utf-8",
        answer=CLIENT.with_name("watch.html").read_text(),
    ),
    curl(
        "A page that shows the methods and tries them: the gateway describes them at /openapi.json",
        "GET",
        "/docs",
        content_type="text/html; charset=utf-8",
        answer=DOCS,
    ),
    native(
        "gRPC itself goes through the same port untouched: a call",
        "get",
        NEUROMANCER["name"],
        answer=NEUROMANCER,
    ),
    native(
        "Who borrows is who the gateway says here too",
        "lend",
        NEUROMANCER["name"] + ":Feyd",
        "--metadata",
        "x-user: Paul",
        answer={"book": NEUROMANCER["name"], "borrower": "Paul", "period": "1209600s", "dueTime": TIME},
    ),
    native(
        "Reflection",
        "services",
        answer="bookstore.v1.Bookstore\ngrpc.health.v1.Health\ngrpc.reflection.v1alpha.ServerReflection\n",
    ),
    native("A server stream", "watch", "mystery:1", answer={"book": LONGER_SLEEP}),
    native("Health checking", "health", "bookstore.v1.Bookstore", answer={"status": "SERVING"}),
)

# At the listener of hooks.yaml.
GUARDED = (
    curl(
        "Another listener asks a server of hooks about each request (hooks.py): it denies without a token",
        "POST",
        f"/v1/{SOLARIS}:lend",
        "{}",
        status=401,
        answer={"error": "no reader has this token"},
    ),
    curl(
        "With one it adds a header: who borrows is whose token it is",
        "POST",
        f"/v1/{SOLARIS}:lend",
        '{"borrower": "Feyd"}',
        header="authorization: Bearer tess",
        answer={"book": SOLARIS, "borrower": "Tess", "period": "1209600s", "dueTime": TIME},
    ),
    native(
        "gRPC itself is guarded there too, other methods as well",
        "get",
        SOLARIS,
        answer="UNAUTHENTICATED: no reader has this token\n",
        exit_code=1,
    ),
    native(
        "And let in with a token",
        "lend",
        f"{SOLARIS}:Feyd",
        "--metadata",
        "authorization: Bearer tess",
        answer={"book": SOLARIS, "borrower": "Tess", "period": "1209600s", "dueTime": TIME},
    ),
)
