"""The demo's backend: bookstore.v1.Bookstore over plain gRPC, with reflection and health checking.

It knows nothing of HTTP or JSON, and keeps its books in memory. Once it serves, it prints one line,
`bookstore listening on <host>:<port>`.

Example:
    .venv/bin/python examples/bookstore/server.py --port 50051
"""

from __future__ import annotations

import argparse
import queue
import re
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf import any_pb2, duration_pb2, empty_pb2, timestamp_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import code_pb2, error_details_pb2, status_pb2
from google.type import money_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

# grpcio-tools compiles the .proto files in memory: there is no generated code to look after.
sys.path.append(str(Path(__file__).resolve().parents[2] / "proto-fixtures"))
pb, services = grpc.protos_and_services("bookstore/v1/bookstore.proto")
types = grpc.protos("bookstore/v1/types.proto")

SERVICE = pb.DESCRIPTOR.services_by_name["Bookstore"].full_name


class Bookstore(services.BookstoreServicer):
    """The service. One lock guards the books, the loans and the list of watchers."""

    def __init__(self, books: Iterable[Any] = ()) -> None:
        self._lock = threading.Lock()
        self._books = {book.name: book for book in books}
        self._borrowers: dict[str, str] = {}
        self._watchers: list[tuple[str, queue.SimpleQueue[Any]]] = []

    def CreateBook(self, request, context):
        if not request.book.title:
            invalid(context, "book.title", "a book needs a title")
        book_id = request.book_id or re.sub(r"[^a-z0-9]+", "-", request.book.title.lower()).strip("-")
        book = types.Book()
        book.CopyFrom(request.book)
        book.name = f"shelves/{request.shelf}/books/{book_id}"
        book.create_time.GetCurrentTime()
        book.update_time.CopyFrom(book.create_time)
        with self._lock:
            if book.name in self._books:
                fail(context, code_pb2.ALREADY_EXISTS, f"{book.name} already exists", resource(book.name))
            self._books[book.name] = book
            self._publish(book.name, pb.BookEvent(book=book))
        # protobridge makes this the HTTP status of the answer.
        context.send_initial_metadata([("x-http-code", "201")])
        return book

    def GetBook(self, request, context):
        with self._lock:
            return self._find(request.name, context)

    def ListBooks(self, request, context):
        if request.page_size < 0:
            invalid(context, "page_size", f"{request.page_size} is negative")
        if not request.page_token.isdigit() and request.page_token:
            invalid(context, "page_token", "not a token of this service")
        prefix = f"shelves/{request.shelf}/" if request.shelf else ""
        with self._lock:
            found = [book for name, book in self._books.items() if name.startswith(prefix)]
        found = [book for book in found if passes(book, request.filter)]
        order = pb.ListBooksRequest.Order
        if request.order == order.Value("NEWEST_FIRST"):
            found.sort(key=lambda book: book.publish_time.ToNanoseconds(), reverse=True)
        elif request.order == order.Value("TITLE"):
            found.sort(key=lambda book: book.title)
        else:
            found.sort(key=lambda book: book.name)
        start = int(request.page_token or 0)
        end = start + (request.page_size or 50)
        return pb.ListBooksResponse(
            books=found[start:end],
            next_page_token=str(end) if end < len(found) else "",
            total_size=len(found),
        )

    def UpdateBook(self, request, context):
        mask = request.update_mask
        if not mask.paths:
            mask = FieldMask(paths=[field.name for field, _ in request.book.ListFields()])
        if not mask.IsValidForDescriptor(types.Book.DESCRIPTOR):
            invalid(context, "update_mask", f"{', '.join(mask.paths)}: not all of these are fields of a book")
        fixed = {"name", "create_time", "update_time"}
        mask = FieldMask(paths=[path for path in mask.paths if path.split(".")[0] not in fixed])
        with self._lock:
            book = types.Book()
            book.CopyFrom(self._find(request.book.name, context))
            mask.MergeMessage(request.book, book, replace_message_field=True, replace_repeated_field=True)
            book.update_time.GetCurrentTime()
            self._books[book.name] = book
            self._publish(book.name, pb.BookEvent(book=book))
        return book

    def DeleteBook(self, request, context):
        with self._lock:
            name = self._find(request.name, context).name
            del self._books[name]
            self._borrowers.pop(name, None)
            self._publish(name, pb.BookEvent(deleted=name))
        return empty_pb2.Empty()

    def LendBook(self, request, context):
        if not request.borrower:
            invalid(context, "borrower", "someone has to take the book")
        period = request.period
        if period.ToNanoseconds() <= 0:
            period = duration_pb2.Duration(seconds=14 * 24 * 3600)
        with self._lock:
            book = self._find(request.name, context)
            borrower = self._borrowers.setdefault(book.name, request.borrower)
        if borrower != request.borrower:
            violation = error_details_pb2.PreconditionFailure.Violation(
                type="LENT", subject=book.name, description=f"{borrower} has it"
            )
            details = error_details_pb2.PreconditionFailure(violations=[violation])
            fail(context, code_pb2.FAILED_PRECONDITION, f"{book.name} is lent", details)
        due = timestamp_pb2.Timestamp()
        due.GetCurrentTime()
        due.FromSeconds(due.seconds + period.seconds)
        return pb.Loan(book=book.name, borrower=borrower, period=period, due_time=due)

    def GetCover(self, request, context):
        with self._lock:
            title = self._find(request.name, context).title
        escaped = title.replace("&", "&amp;").replace("<", "&lt;")
        return HttpBody(
            content_type="image/svg+xml",
            data=f'<svg xmlns="http://www.w3.org/2000/svg"><text y="20">{escaped}</text></svg>'.encode(),
        )

    def WatchBooks(self, request, context) -> Iterator[Any]:
        prefix = f"shelves/{request.shelf}/"
        events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        watcher = (prefix, events)
        with self._lock:
            present = [book for name, book in sorted(self._books.items()) if name.startswith(prefix)]
            self._watchers.append(watcher)

        def leave() -> None:
            with self._lock:
                self._watchers.remove(watcher)
            events.put(None)

        if not context.add_callback(leave):
            leave()
        for book in present:
            yield pb.BookEvent(book=book)
        yield from iter(events.get, None)

    def _find(self, name: str, context: grpc.ServicerContext) -> Any:
        """The book, or the end of the call with NOT_FOUND. Stored books are replaced, never changed in place."""
        book = self._books.get(name)
        if book is None:
            info = error_details_pb2.ErrorInfo(
                reason="BOOK_NOT_FOUND", domain="bookstore.example", metadata={"name": name}
            )
            fail(context, code_pb2.NOT_FOUND, f"there is no {name}", info, resource(name))
        return book

    def _publish(self, name: str, event: Any) -> None:
        for prefix, events in self._watchers:
            if name.startswith(prefix):
                events.put(event)


def passes(book: Any, wanted: Any) -> bool:
    """Whether a ListBooksRequest.Filter lets the book through."""
    if wanted.genre and book.genre != wanted.genre:
        return False
    if wanted.authors and not {author.display_name for author in book.authors} & set(wanted.authors):
        return False
    price = nanos(book.price)
    if wanted.HasField("min_price") and price < nanos(wanted.min_price):
        return False
    if wanted.HasField("max_price") and price > nanos(wanted.max_price):
        return False
    published = book.publish_time.ToNanoseconds()
    return not wanted.HasField("published_after") or published > wanted.published_after.ToNanoseconds()


def nanos(money: money_pb2.Money) -> int:
    """The amount in billionths, whatever its currency: all of these books are sold in one."""
    return money.units * 10**9 + money.nanos


def invalid(context: grpc.ServicerContext, field: str, why: str) -> NoReturn:
    """Ends the call with INVALID_ARGUMENT, naming the field."""
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=why)
    details = error_details_pb2.BadRequest(field_violations=[violation])
    fail(context, code_pb2.INVALID_ARGUMENT, f"{field}: {why}", details)


def resource(name: str) -> error_details_pb2.ResourceInfo:
    """The error detail that says which book an error is about."""
    return error_details_pb2.ResourceInfo(resource_type=types.Book.DESCRIPTOR.full_name, resource_name=name)


def fail(context: grpc.ServicerContext, code: int, message: str, *details: Any) -> NoReturn:
    """Ends the call with a google.rpc.Status."""
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    context.abort_with_status(rpc_status.to_status(status_pb2.Status(code=code, message=message, details=packed)))
    raise AssertionError("abort_with_status always raises")


def first_books() -> Iterator[Any]:
    """What is on the shelves when the service starts."""
    for shelf, book_id, title, author, born, genre, price, published in (
        ("fiction", "earthsea", "A Wizard of Earthsea", "Ursula K. Le Guin", 1929, "FANTASY", 8, "1968-11-01"),
        ("fiction", "neuromancer", "Neuromancer", "William Gibson", 1948, "SCIENCE_FICTION", 9, "1984-07-01"),
        ("fiction", "solaris", "Solaris", "Stanisław Lem", 1921, "SCIENCE_FICTION", 11, "1961-06-01"),
        ("mystery", "big-sleep", "The Big Sleep", "Raymond Chandler", 1888, "MYSTERY", 7, "1939-02-06"),
    ):
        book = types.Book(
            name=f"shelves/{shelf}/books/{book_id}",
            title=title,
            authors=[types.Author(display_name=author, birth_year=born)],
            genre=genre,
            price=money_pb2.Money(currency_code="EUR", units=price, nanos=500_000_000),
        )
        book.publish_time.FromJsonString(f"{published}T00:00:00Z")
        yield book


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves bookstore.v1.Bookstore.")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 in a container")
    parser.add_argument("--port", type=int, default=50051, help="0 takes a free one")
    arguments = parser.parse_args()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    services.add_BookstoreServicer_to_server(Bookstore(first_books()), server)
    checks = health.HealthServicer()
    checks.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    port = server.add_insecure_port(f"{arguments.host}:{arguments.port}")
    server.start()
    print(f"bookstore listening on {arguments.host}:{port}", flush=True)

    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=0))
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=0)


if __name__ == "__main__":
    main()
