"""Where a house keeps everything that it is told: looked at whole, and put back as it was."""

import dataclasses
from typing import Any, Protocol

from tests.unit.entrypoints.http.house import House


class Vault(Protocol):
    """What is due to be looked at is put back too, but a change of it counts for nothing."""

    audit: str
    """The name of the table of the audit log."""

    async def keep(self) -> None:
        """Remember everything as it is now."""

    async def changed(self) -> set[str]:
        """The tables that are not as they were kept."""

    async def refusals(self) -> int:
        """How many entries the audit log has beyond those that were kept."""

    async def put_back(self) -> None: ...


class MemoryVault:
    audit = "audit"

    def __init__(self, house: House) -> None:
        self._store = house.store
        self._kept: dict[str, Any] = {}
        self._due: dict[Any, Any] = {}

    async def keep(self) -> None:
        self._kept = self._rows()
        self._due = dict(self._store.queue._entries)

    async def changed(self) -> set[str]:
        return {name for name, rows in self._rows().items() if rows != self._kept[name]}

    async def refusals(self) -> int:
        return len(self._store._tables.audit) - len(self._kept["audit"])

    async def put_back(self) -> None:
        for name, table in self._tables():
            table.clear()
            table.update(self._kept[name])
        self._store._tables.feeds.events.clear()
        self._store.queue._entries.clear()
        self._store.queue._entries.update(self._due)

    def _rows(self) -> dict[str, dict[Any, Any]]:
        return {name: dict(table) for name, table in self._tables()}

    def _tables(self) -> list[tuple[str, dict[Any, Any]]]:
        tables = self._store._tables
        named = [(each.name, getattr(tables, each.name)) for each in dataclasses.fields(tables)]
        # An event is always added with its number, so that the numbers tell of every change of the feed.
        return [("feeds", tables.feeds.last), *((name, table) for name, table in named if name != "feeds")]
