"""Tables of frozen rows in memory, and one transaction's draft of changes to them."""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from spunto.core.kernel.errors import StaleVersion

K = TypeVar("K")
V = TypeVar("V")


class Draft(Generic[K, V]):
    """Sees committed rows and its own changes. A changed row that somebody else changed meanwhile is a conflict.

    Rows are never changed in place, so a row is unchanged as long as it is the same object.
    """

    def __init__(self, kind: str, committed: dict[K, V]) -> None:
        self._kind = kind
        self._committed = committed
        self._before: dict[K, V | None] = {}
        self._changed: dict[K, V | None] = {}

    def get(self, key: K) -> V | None:
        return self._changed[key] if key in self._changed else self._committed.get(key)

    def values(self) -> Iterable[V]:
        for key, row in self._committed.items():
            if key not in self._changed:
                yield row
        yield from (row for row in self._changed.values() if row is not None)

    def __iter__(self) -> Iterator[K]:
        yield from (key for key in self._committed if key not in self._changed)
        yield from (key for key, row in self._changed.items() if row is not None)

    def put(self, key: K, row: V) -> None:
        self._change(key, row)

    def drop(self, key: K) -> None:
        self._change(key, None)

    def check(self) -> None:
        """Raises StaleVersion where a row is no longer the one that this draft changed."""
        for key, before in self._before.items():
            if self._committed.get(key) is not before:
                raise StaleVersion(self._kind, str(key))

    def apply(self) -> None:
        for key, row in self._changed.items():
            if row is None:
                self._committed.pop(key, None)
            else:
                self._committed[key] = row

    def _change(self, key: K, row: V | None) -> None:
        if key not in self._before:
            self._before[key] = self._committed.get(key)
        self._changed[key] = row
