"""Pages of lists: newest first, stable while rows are added, because the cursor says what was seen last."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Order(StrEnum):
    """Names are in the order of their code points, and things of the same name the older one first, or last."""

    NEWEST = "-createdAt"
    OLDEST = "createdAt"
    NAME = "name"
    NAME_BACKWARDS = "-name"

    @property
    def is_backwards(self) -> bool:
        return self in (Order.NEWEST, Order.NAME_BACKWARDS)

    @property
    def is_by_name(self) -> bool:
        return self in (Order.NAME, Order.NAME_BACKWARDS)

    def place_of(self, item: Any) -> str:
        """Where a thing with an `id`, and by name a `name`, stands in this order: what the next page begins behind."""
        return f"{item.id} {item.name}" if self.is_by_name else str(item.id)

    def key(self, place: str) -> tuple[str, str]:
        """What places are compared by."""
        item_id, _, name = place.partition(" ")
        return name, item_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """At most `limit` rows behind the place `before`, which is a page's `next_before`: in the order of NEWEST those
    older than that id."""

    limit: int = 50
    before: str | None = None
    order: Order = Order.NEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """`next_before` is what to ask with for more; None at the end."""

    items: Sequence[T]
    next_before: str | None
