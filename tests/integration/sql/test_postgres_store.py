"""The SQL store keeps the storage contracts on Postgres."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import delete
from tests.fixtures.postgres import fresh_database

from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.adapters.sql.tables.schema import SCHEMA
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.wakeups import Wakeups
from spunto.testing.contracts.whole_store import StoreContract

pytestmark = pytest.mark.postgres


@pytest.fixture
def wakeups() -> Wakeups:
    return Wakeups(ManualClock())


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[str]:
    """Migrated once: making a database takes longer than most of these tests."""
    fresh = fresh_database(postgres_url)
    with asyncio.Runner() as runner:
        url = runner.run(fresh.__aenter__())
        try:
            runner.run(upgrade(url))
            yield url
        finally:
            runner.run(fresh.__aexit__(None, None, None))


@pytest.fixture
async def store(database: str, wakeups: Wakeups) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(database, wakeups)
    try:
        yield opened
        async with opened._database.writing() as statements:
            for table in reversed(SCHEMA.sorted_tables):
                await statements.change(delete(table), {})
            await statements.commit()
    finally:
        await opened.aclose()


class TestPostgresStore(StoreContract):
    pass
