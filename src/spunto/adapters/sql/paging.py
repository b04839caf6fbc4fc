"""Pages of rows: one more row than asked for tells whether there is a next page."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, bindparam
from sqlalchemy.sql.selectable import Select

from spunto.adapters.sql.statements import AnyRow
from spunto.core.kernel.paging import Order, Page, PageRequest

T = TypeVar("T")
# Sorts behind every id.
_NEWEST = "~"


def paged(select: "Select[Any]", by: ColumnElement[Any], *, order: Order = Order.NEWEST) -> "Select[Any]":
    """The newest rows older than `before`, or the oldest newer ones."""
    if order is Order.OLDEST:
        return select.where(by > bindparam("before", type_=by.type)).order_by(by).limit(one_more())
    return select.where(by < bindparam("before", type_=by.type)).order_by(by.desc()).limit(one_more())


def one_more() -> ColumnElement[int]:
    return bindparam("limit", type_=BigInteger())


def window(page: PageRequest) -> dict[str, Any]:
    """The parameters of a paged statement."""
    first = _NEWEST if page.order is Order.NEWEST else ""
    return {"before": page.before or first, "limit": page.limit + 1}


def page_of(
    rows: Sequence[AnyRow], limit: int, *, item_of: Callable[[AnyRow], T], key_of: Callable[[T], str]
) -> Page[T]:
    items = [item_of(row) for row in rows[:limit]]
    return Page(items=items, next_before=key_of(items[-1]) if len(rows) > limit else None)
