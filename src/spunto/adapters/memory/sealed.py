"""Rows with a sealed value in memory, as they are moved from key to key."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic

from spunto.adapters.memory.rows import Draft
from spunto.core.secrets.model import Sealed
from spunto.core.secrets.ports import R


class MemorySealedRows(Generic[R]):
    """What repositories of rows with a sealed value have in common."""

    def __init__(self, rows: Draft[Any, R]) -> None:
        self._rows = rows

    async def not_under(self, key_id: str, *, after: str, limit: int) -> Sequence[R]:
        others = (each for each in self._rows.values() if each.sealed.key_id != key_id and each.id > after)
        return sorted(others, key=lambda row: row.id)[:limit]

    async def rewrap(self, rewrapped: Sequence[tuple[R, Sealed]]) -> None:
        for before, sealed in rewrapped:
            now = self._rows.get(before.id)
            if now is not None and now.sealed == before.sealed:
                moved = replace(now.sealed, key_id=sealed.key_id, wrapped_key=sealed.wrapped_key)
                self._rows.put(now.id, replace(now, sealed=moved))  # type: ignore[type-var]  # rows are dataclasses

    async def count_by_key(self) -> Mapping[str, int]:
        return Counter(row.sealed.key_id for row in self._rows.values())
