"""Pages of rows in memory."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from spunto.core.kernel.paging import Page, PageRequest

V = TypeVar("V")


def page_of(rows: Iterable[V], page: PageRequest, *, id_of: Callable[[V], str]) -> Page[V]:
    """The first rows behind the cursor, in the order that is asked for; `id_of` is for rows without an id."""
    order = page.order
    place_of = order.place_of if order.is_by_name else id_of
    ordered = sorted(rows, key=lambda row: order.key(place_of(row)), reverse=order.is_backwards)
    if page.before is not None:
        last = order.key(page.before)
        keyed = [(order.key(place_of(row)), row) for row in ordered]
        ordered = [row for key, row in keyed if key != last and (key < last) is order.is_backwards]
    items = ordered[: page.limit]
    return Page(items=items, next_before=place_of(items[-1]) if len(ordered) > page.limit else None)
