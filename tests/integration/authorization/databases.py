"""A house on a real database, and the vault that keeps its tables."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.unit.entrypoints.http.house import House, house_on

from spunto.adapters.sql.store import SqlStore
from spunto.adapters.sql.tables.schema import SCHEMA
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.wakeups import Wakeups

# Not told by anybody, and not to be put back: what the database says of itself.
_OWN = frozenset({"timelines"})
_TABLES = [table for table in SCHEMA.sorted_tables if table.name not in _OWN]
_DUE = "due_subjects"

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[House]:
    """On a database that is up to date and empty, and is empty again in the end."""
    clock = ManualClock()
    wakeups = Wakeups(clock)
    store = await SqlStore.open(url, wakeups)
    try:
        yield house_on(store, wakeups, clock)
    finally:
        await store.aclose()
        async with vault_of(url) as vault:
            await vault.put_back()


@asynccontextmanager
async def vault_of(url: str) -> AsyncIterator["SqlVault"]:
    engine = create_async_engine(url)
    try:
        yield SqlVault(engine)
    finally:
        await engine.dispose()


class SqlVault:
    """Keeps nothing at first."""

    audit = "audit_entries"

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._kept: Rows = {}

    async def keep(self) -> None:
        self._kept = await self._rows()

    async def changed(self) -> set[str]:
        now = await self._rows()
        return {name for name in now if name != _DUE and now[name] != self._kept[name]}

    async def refusals(self) -> int:
        return len((await self._rows())[self.audit]) - len(self._kept[self.audit])

    async def put_back(self) -> None:
        async with self._engine.begin() as connection:
            for table in reversed(_TABLES):
                await connection.execute(delete(table))
            for table in _TABLES:
                if kept := self._kept.get(table.name):
                    await connection.execute(insert(table), [*kept])

    async def _rows(self) -> Rows:
        """In one order, whatever the one in which the database gives them."""
        async with self._engine.connect() as connection:
            return {
                table.name: [
                    dict(row._mapping) for row in await connection.execute(select(table).order_by(*table.primary_key))
                ]
                for table in _TABLES
            }
