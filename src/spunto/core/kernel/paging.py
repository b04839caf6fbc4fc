"""Pages of lists: newest first, stable while rows are added, because the cursor is the last id seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Order(StrEnum):
    NEWEST = "-createdAt"
    OLDEST = "createdAt"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """At most `limit` rows older than the id `before`, or in the order of OLDEST newer ones."""

    limit: int = 50
    before: str | None = None
    order: Order = Order.NEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """`next_before` is what to ask with for more; None at the end."""

    items: Sequence[T]
    next_before: str | None
