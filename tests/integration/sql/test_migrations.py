"""Migrations lead to the declared tables, wholly or not at all, and a store opens on nothing else."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from spunto.adapters.sql import migrations
from spunto.adapters.sql.migrate import head, upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.adapters.sql.tables.schema import SCHEMA
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Invalid, Unavailable
from spunto.core.kernel.wakeups import Wakeups

WAKEUPS = Wakeups(ManualClock())
SUICIDE = """
import asyncio, itertools, os, signal, sys
from sqlalchemy import Engine, event
from spunto.adapters.sql.migrate import upgrade

count = itertools.count(1)

@event.listens_for(Engine, "before_cursor_execute")
def die(*arguments):
    if next(count) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(upgrade(sys.argv[1]))
"""
"""Upgrades, and dies before a certain statement."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/spunto.db"
    return str(request.getfixturevalue("postgres_database"))


def test_the_newest_revision_is_the_head_that_alembic_finds() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__path__[0])))

    assert head() == scripts.get_current_head()


async def test_the_migrated_tables_are_the_declared_ones(url: str) -> None:
    await upgrade(url)

    assert await _seen(url, _differences) == []


async def test_an_upgrade_repeated_changes_nothing(url: str) -> None:
    await upgrade(url)
    before = await _timeline(url)

    await upgrade(url)

    assert await _timeline(url) == before


async def test_concurrent_upgrades_all_end_well(url: str) -> None:
    await asyncio.gather(*(upgrade(url) for _ in range(3)))

    assert await _seen(url, _differences) == []


@pytest.mark.parametrize("statement", [3, 15, 30])
async def test_an_upgrade_killed_half_way_leaves_nothing(url: str, statement: int) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SUICIDE, url, str(statement))

    assert await process.wait() == -signal.SIGKILL
    assert await _seen(url, lambda connection: inspect(connection).get_table_names()) == []
    await upgrade(url)
    assert await _seen(url, _differences) == []


async def test_a_store_does_not_open_on_an_empty_database(url: str) -> None:
    with pytest.raises(Unavailable) as caught:
        await SqlStore.open(url, WAKEUPS)

    assert (caught.value.code, caught.value.fields["found"]) == ("database_revision", None)


async def test_a_store_does_not_open_on_an_unknown_revision(url: str) -> None:
    await upgrade(url)
    await _execute(url, "UPDATE alembic_version SET version_num = 'future'")

    with pytest.raises(Unavailable) as caught:
        await SqlStore.open(url, WAKEUPS)

    assert (caught.value.code, caught.value.fields["found"]) == ("database_revision", "future")


@pytest.mark.parametrize("url", ["sqlite://", "mysql://host/db", "nonsense"])
async def test_an_impossible_url_is_named(url: str) -> None:
    for use in (upgrade(url), SqlStore.open(url, WAKEUPS)):
        with pytest.raises(Invalid) as caught:
            await use
        assert caught.value.code == "database_url"


def _differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), SCHEMA))


async def _timeline(url: str) -> str:
    store = await SqlStore.open(url, WAKEUPS)
    try:
        return await store.timeline_id()
    finally:
        await store.aclose()


async def _execute(url: str, *statements: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def _seen(url: str, look: Callable[[Connection], Any]) -> Any:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        seen = await connection.run_sync(look)
    await engine.dispose()
    return seen
