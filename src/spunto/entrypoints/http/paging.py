"""Pages on the wire: `?limit=` and `?cursor=` in, `{"items", "nextCursor"}` out."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import Field
from quart import Response, request

from spunto.core.kernel.errors import Malformed
from spunto.core.kernel.ids import is_id
from spunto.core.kernel.paging import Order, Page, PageRequest
from spunto.entrypoints.http.requests import Query, query
from spunto.entrypoints.http.responses import json_bytes, json_response

T = TypeVar("T")


# A name in it has up to 400 bytes.
Cursor = Annotated[str, Field(max_length=600)]


class PageQuery(Query):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None


class SortedQuery(PageQuery):
    sort: Order = Order.NEWEST


_FIRST_PAGE = PageQuery()


def page_query() -> PageQuery:
    return query(PageQuery) if request.query_string else _FIRST_PAGE


def asked_page(prefix: str) -> PageRequest:
    """The page asked for, in a list whose ids have the prefix. Raises Malformed."""
    return asked_page_of(page_query(), prefix)


def asked_page_of(asked: PageQuery, prefix: str, *, order: Order = Order.NEWEST) -> PageRequest:
    """The same, of a query that asks for more than a page. Raises Malformed."""
    before = None if asked.cursor is None else last_seen(asked.cursor)
    if before is not None:
        item_id, blank, _ = before.partition(" ")
        if not is_id(item_id, prefix) or bool(blank) is not order.is_by_name:
            raise not_a_cursor()
    return PageRequest(limit=asked.limit, before=before, order=order)


def page_response(page: Page[T], present: Callable[[T], Any]) -> Response:
    return items_response(map(present, page.items), next_before=page.next_before)


def page_bytes(page: Page[T], present: Callable[[T], Any]) -> bytes:
    """The body of `page_response`, for who keeps it."""
    return json_bytes(_items(map(present, page.items), page.next_before))


def items_response(items: Iterable[Any], *, next_before: str | None = None) -> Response:
    return json_response(_items(items, next_before))


def _items(items: Iterable[Any], next_before: str | None) -> Mapping[str, Any]:
    return {"items": list(items), "nextCursor": None if next_before is None else cursor_of(next_before)}


def cursor_of(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).rstrip(b"=").decode()


def last_seen(cursor: str) -> str:
    """What the cursor was made of. Raises Malformed for one that was not made here."""
    try:
        last = base64.b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}", altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise not_a_cursor() from error
    if cursor_of(last) != cursor:
        raise not_a_cursor()
    return last


def not_a_cursor() -> Malformed:
    return Malformed("invalid_cursor", "The cursor is not one of this list; take `nextCursor` from its last page.")
