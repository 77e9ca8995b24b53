"""Has a generated client use the bookstore. Arguments: the folder with the package `generated`, and the gateway's URL."""

import sys

sys.path.insert(0, sys.argv[1])

from generated import Client  # noqa: E402
from generated.api.bookstore import (  # noqa: E402
    bookstore_create_book as create,
    bookstore_delete_book as delete,
    bookstore_get_book as get,
    bookstore_lend_book as lend,
    bookstore_list_books as list_of_shelf,
    bookstore_update_book as update,
)
from generated.models import (  # noqa: E402
    BookstoreLendBookBodyType0,
    BookstoreUpdateBookBodyType0,
    BookstoreV1AuthorInput,
    BookstoreV1BookInput,
    GatewayError,
)

client = Client(base_url=sys.argv[2])

book = BookstoreV1BookInput(
    title="Solaris & more", authors=[BookstoreV1AuthorInput(display_name="Stanisław Lem", birth_year=1921)], page_count=204
)
made = create.sync(shelf="sea", client=client, body=book, book_id="solaris")
assert made.name == "shelves/sea/books/solaris", made
assert made.authors[0].display_name == "Stanisław Lem", made

found = get.sync(shelf="sea", book="solaris", client=client)
assert found == made, found

changed = update.sync(shelf="sea", book="solaris", client=client, body=BookstoreUpdateBookBodyType0(title="Solaris"))
assert (changed.title, changed.page_count) == ("Solaris", 204), changed

page = list_of_shelf.sync(shelf="sea", client=client, page_size=1)
assert [book.title for book in page.books] == ["Solaris"], page

loan = lend.sync(shelf="sea", book="solaris", client=client, body=BookstoreLendBookBodyType0(borrower="Kris"))
assert loan.borrower == "Kris", loan

delete.sync(shelf="sea", book="solaris", client=client)
missing = get.sync_detailed(shelf="sea", book="solaris", client=client)
assert missing.status_code == 404, missing
assert isinstance(missing.parsed, GatewayError) and missing.parsed.code == 5, missing
