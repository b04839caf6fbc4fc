"""Tables of frozen rows in memory, and one transaction's draft of changes to them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from spunto.core.access.model import OrgId, Tenant
from spunto.core.kernel.errors import NotFound, StaleVersion


class VersionedRow(Protocol):
    """A frozen dataclass of the core."""

    @property
    def id(self) -> Any: ...
    @property
    def version(self) -> int: ...


class OwnedRow(VersionedRow, Protocol):
    @property
    def org_id(self) -> OrgId: ...


K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R", bound=VersionedRow)
Owned = TypeVar("Owned", bound=OwnedRow)


class Draft(Generic[K, V]):
    """Sees committed rows and its own changes. A changed row that somebody else changed meanwhile is a conflict.

    Rows are never changed in place, so a row is unchanged as long as it is the same object.
    """

    def __init__(self, kind: str, committed: dict[K, V]) -> None:
        self.kind = kind
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
                raise StaleVersion(self.kind, str(key))

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


class Table(Draft[K, R]):
    """Rows by `id` that carry a version."""

    def current(self, row: R) -> R:
        """The row as it stands. Raises StaleVersion where it has another version by now, or is gone."""
        before = self.get(row.id)
        if before is None or before.version != row.version:
            raise StaleVersion(self.kind, row.id)
        return before

    def update(self, row: R) -> R:
        """Put the row as its next version. Raises StaleVersion as `current` does."""
        self.current(row)
        after: R = replace(row, version=row.version + 1)  # type: ignore[type-var]  # rows are dataclasses
        self.put(row.id, after)
        return after


def owned(table: Table[K, Owned], tenant: Tenant, key: K) -> Owned:
    """Raises NotFound `…_not_found`, also for another organization's."""
    row = table.get(key)
    if row is None or row.org_id != tenant.org_id:
        raise NotFound(f"{table.kind}_not_found", f"There is no {table.kind} {key!r}.", id=str(key))
    return row
