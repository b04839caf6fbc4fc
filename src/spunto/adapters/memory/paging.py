"""Pages of rows in memory."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from spunto.core.kernel.paging import Order, Page, PageRequest

V = TypeVar("V")


def page_of(rows: Iterable[V], page: PageRequest, *, id_of: Callable[[V], str]) -> Page[V]:
    """The newest rows older than the cursor, or in the other order the oldest newer ones."""
    newest_first = page.order is Order.NEWEST
    ordered = sorted(rows, key=id_of, reverse=newest_first)
    if page.before is not None:
        ordered = [row for row in ordered if (id_of(row) < page.before) is newest_first and id_of(row) != page.before]
    items = ordered[: page.limit]
    return Page(items=items, next_before=id_of(items[-1]) if len(ordered) > page.limit else None)
