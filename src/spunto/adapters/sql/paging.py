"""Pages of rows: one more row than asked for tells whether there is a next page."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Table, Text, bindparam, collate, tuple_
from sqlalchemy.sql.selectable import Select

from spunto.adapters.sql.statements import AnyRow
from spunto.core.kernel.paging import Order, Page, PageRequest

T = TypeVar("T")
# Sorts behind every id, and behind every name.
_NEWEST = "~"
_LAST_NAME = "\U0010ffff" * 256


def paged(select: "Select[Any]", by: ColumnElement[Any], *, order: Order = Order.NEWEST) -> "Select[Any]":
    """The newest rows older than `before`, or the oldest newer ones."""
    if order is Order.OLDEST:
        return select.where(by > bindparam("before", type_=by.type)).order_by(by).limit(one_more())
    return select.where(by < bindparam("before", type_=by.type)).order_by(by.desc()).limit(one_more())


def paged_by(select: "Select[Any]", table: Table, order: Order, dialect: str) -> "Select[Any]":
    """The same of a table with names, which the order may go by."""
    if not order.is_by_name:
        return paged(select, table.c.id, order=order)
    # Postgres would sort by the language of the database; by code points everybody has one order, as in memory.
    name = table.c.name if dialect == "sqlite" else collate(table.c.name, "C")
    place = tuple_(bindparam("before_name", type_=Text), bindparam("before", type_=table.c.id.type))
    key = tuple_(name, table.c.id)
    if order.is_backwards:
        return select.where(key < place).order_by(name.desc(), table.c.id.desc()).limit(one_more())
    return select.where(key > place).order_by(name, table.c.id).limit(one_more())


def one_more() -> ColumnElement[int]:
    return bindparam("limit", type_=BigInteger())


def window(page: PageRequest) -> dict[str, Any]:
    """The parameters of a paged statement."""
    first = _NEWEST if page.order.is_backwards else ""
    if not page.order.is_by_name:
        return {"before": page.before or first, "limit": page.limit + 1}
    first_name = _LAST_NAME if page.order.is_backwards else ""
    name, before = (first_name, first) if page.before is None else page.order.key(page.before)
    return {"before": before, "before_name": name, "limit": page.limit + 1}


def page_of(
    rows: Sequence[AnyRow], limit: int, *, item_of: Callable[[AnyRow], T], key_of: Callable[[T], str]
) -> Page[T]:
    items = [item_of(row) for row in rows[:limit]]
    return Page(items=items, next_before=key_of(items[-1]) if len(rows) > limit else None)
