"""Pages of rows in memory."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from spunto.core.kernel.paging import Page, PageRequest

V = TypeVar("V")


def page_of(rows: Iterable[V], page: PageRequest, *, id_of: Callable[[V], str]) -> Page[V]:
    """The newest rows older than the cursor."""
    older = (row for row in rows if page.before is None or id_of(row) < page.before)
    newest = sorted(older, key=id_of, reverse=True)
    items = newest[: page.limit]
    return Page(items=items, next_before=id_of(items[-1]) if len(newest) > page.limit else None)
