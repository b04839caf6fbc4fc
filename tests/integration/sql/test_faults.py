"""What the databases do to a store: locks, full disks, lost connections and values that they don't take."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.sqlite import SqliteDatabase
from spunto.adapters.sql.store import SqlStore
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Invalid, StaleVersion, Unavailable
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.model import NodeId
from spunto.core.orgs.model import User
from spunto.core.projects.model import Project
from spunto.testing.contracts.store import (
    A_DEMAND,
    NOW,
    a_project,
    a_tenant,
    a_user,
    an_organization,
    node_in,
    project_in,
)

WAKEUPS = Wakeups(ManualClock())


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    url = f"sqlite:///{tmp_path}/spunto.db"
    await upgrade(url)
    store = await SqlStore.open(url, WAKEUPS)
    yield store
    await store.aclose()


@pytest.fixture
async def postgres_store(postgres_database: str) -> AsyncIterator[SqlStore]:
    await upgrade(postgres_database)
    store = await SqlStore.open(postgres_database, WAKEUPS)
    yield store
    await store.aclose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> SqlStore:
    opened = request.getfixturevalue(f"{request.param}_store")
    assert isinstance(opened, SqlStore)
    return opened


async def test_moments_of_any_zone_come_back_in_utc(store: SqlStore) -> None:
    abroad = NOW.astimezone(timezone(timedelta(hours=-5)))
    user = a_user(created_at=abroad)

    async with store() as tx:
        await tx.members.add_user(user)
        stored = await tx.members.get_user(user.id)

    assert stored.created_at == abroad
    assert stored.created_at.utcoffset() == timedelta(0)


async def test_text_that_can_not_be_encoded_is_refused(store: SqlStore) -> None:
    async with store() as tx:
        with pytest.raises(Invalid) as caught:
            await tx.organizations.add(an_organization(name="\ud800"))

    assert caught.value.code == "not_storable"


async def test_a_number_too_large_is_refused(store: SqlStore) -> None:
    tenant = a_tenant()
    async with store.reading() as tx:
        with pytest.raises(Invalid) as caught:
            await tx.projects.get_version(tenant, a_project(tenant).id, 2**64)

    assert caught.value.code == "not_storable"


async def test_sqlite_is_durable_and_checks_foreign_keys(sqlite_store: SqlStore) -> None:
    assert isinstance(sqlite_store._database, SqliteDatabase)
    connection = await sqlite_store._database._writing_connection()

    pragmas = [
        *await connection.execute_fetchall("PRAGMA journal_mode"),
        *await connection.execute_fetchall("PRAGMA synchronous"),
        *await connection.execute_fetchall("PRAGMA foreign_keys"),
    ]
    assert pragmas == [("wal",), (2,), (1,)]


@pytest.mark.long
async def test_a_lock_that_another_process_keeps_is_unavailability(sqlite_store: SqlStore, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "spunto.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable) as caught:
        async with sqlite_store():
            pass

    assert (caught.value.code, caught.value.retry_after_seconds) == ("database_unavailable", 1.0)
    other.close()
    await project_in(sqlite_store, a_tenant())


async def test_on_a_full_disk_writes_are_refused_reads_go_on_and_it_recovers(sqlite_store: SqlStore) -> None:
    tenant = a_tenant()
    project = await project_in(sqlite_store, tenant)
    large = replace(project, description="x" * 1_000_000)
    await _limit_pages(sqlite_store, 1)

    with pytest.raises(Unavailable) as caught:
        async with sqlite_store() as tx:
            await tx.projects.update(large)

    assert caught.value.code == "database_unavailable"
    async with sqlite_store.reading() as tx:
        assert await tx.projects.get(tenant, project.id) == project
    await _limit_pages(sqlite_store, 1_000_000)
    await sqlite_store.require_writable()
    async with sqlite_store() as tx:
        await tx.projects.update(large)
        await tx.commit()


@pytest.mark.postgres
async def test_a_lock_that_somebody_keeps_is_unavailability(postgres_store: SqlStore, postgres_database: str) -> None:
    async with _locked(postgres_database, "users"):
        with pytest.raises(Unavailable) as caught:
            async with postgres_store() as tx:
                await tx.members.add_user(a_user())

    assert (caught.value.code, caught.value.retry_after_seconds) == ("database_unavailable", 1.0)


@pytest.mark.long
async def test_whatever_takes_no_changes_is_not_writable(sqlite_store: SqlStore, tmp_path: Path) -> None:
    await sqlite_store.require_writable()
    other = sqlite3.connect(tmp_path / "spunto.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable):
        await sqlite_store.require_writable()

    other.close()
    await sqlite_store.require_writable()


@pytest.mark.postgres
async def test_a_connection_lost_in_a_transaction_is_unavailability(
    postgres_store: SqlStore, postgres_database: str
) -> None:
    organization = an_organization()

    async with postgres_store() as tx:
        await tx.organizations.add(organization)
        await _cut_connections(postgres_database)
        with pytest.raises(Unavailable) as caught:
            await tx.commit()

    assert (caught.value.code, caught.value.retry_after_seconds) == ("database_unavailable", 1.0)
    async with postgres_store() as tx:
        await tx.organizations.add(organization)
        await tx.commit()


@pytest.mark.postgres
async def test_connections_lost_while_idle_are_replaced_unnoticed(
    postgres_store: SqlStore, postgres_database: str
) -> None:
    tenants = [a_tenant() for _ in range(8)]
    await asyncio.gather(*(project_in(postgres_store, tenant) for tenant in tenants))
    await _cut_connections(postgres_database)

    await asyncio.gather(*(project_in(postgres_store, tenant) for tenant in tenants))


@pytest.mark.postgres
async def test_a_server_that_is_away_is_unavailability(postgres_database: str, tmp_path: Path) -> None:
    away = make_url(postgres_database).update_query_dict({"host": str(tmp_path)}).render_as_string()

    with pytest.raises(Unavailable) as caught:
        await SqlStore.open(away, WAKEUPS)

    assert (caught.value.code, caught.value.retry_after_seconds) == ("database_unavailable", 1.0)


@pytest.mark.postgres
async def test_connections_are_given_out_in_the_order_of_asking(postgres_database: str) -> None:
    await upgrade(postgres_database)
    store = await SqlStore.open(postgres_database, WAKEUPS, pool_size=1)
    served: list[str] = []

    async def greedy(name: str) -> None:
        for _ in range(4):
            async with store() as tx:
                await tx.audit.list(a_tenant(), PageRequest(limit=1))
            served.append(name)

    await asyncio.gather(greedy("a"), greedy("b"))
    await store.aclose()

    assert served == ["a", "b"] * 4


@pytest.mark.postgres
async def test_one_side_of_a_deadlock_lost_the_race(postgres_store: SqlStore) -> None:
    first, second = [await project_in(postgres_store, a_tenant()) for _ in range(2)]
    both_hold_one = asyncio.Barrier(2)

    async def take(*order: Project) -> str:
        async with postgres_store() as tx:
            await tx.projects.next_index(order[0].id)
            await both_hold_one.wait()
            try:
                await tx.projects.next_index(order[1].id)
            except StaleVersion:
                return "lost"
            await tx.commit()
            return "won"

    assert sorted(await asyncio.gather(take(first, second), take(second, first))) == ["lost", "won"]


@pytest.mark.postgres
async def test_who_finds_all_nodes_with_room_locked_waits_for_them(
    postgres_store: SqlStore, postgres_database: str
) -> None:
    tenant = a_tenant()
    node = await node_in(postgres_store, tenant)

    async def place() -> NodeId | None:
        async with postgres_store() as tx:
            return await tx.nodes.reserve_least_loaded(tenant.org_id, A_DEMAND, among=None)

    async with postgres_store() as tx:
        await tx.nodes.reserve(node.id, A_DEMAND)
        second = asyncio.create_task(place())
        while not second.done() and not await _somebody_waits(postgres_database):
            pass
        await tx.commit()

    assert await second == node.id


@pytest.mark.postgres
async def test_a_read_that_is_broken_off_costs_only_its_connection(postgres_database: str) -> None:
    await upgrade(postgres_database)
    store = await SqlStore.open(postgres_database, WAKEUPS, pool_size=1)
    user = a_user()
    async with store() as tx:
        await tx.members.add_user(user)
        await tx.commit()

    async def read() -> User:
        async with store.reading() as tx:
            return await tx.members.get_user(user.id)

    async with _locked(postgres_database, "users"):
        reading = asyncio.create_task(read())
        while not reading.done() and not await _somebody_waits(postgres_database):
            pass
        reading.cancel()
        await asyncio.wait([reading])
    found = await read()
    await store.aclose()

    assert (reading.cancelled(), found) == (True, user)


@pytest.mark.postgres
async def test_text_with_a_null_character_is_refused(postgres_store: SqlStore) -> None:
    async with postgres_store() as tx:
        with pytest.raises(Invalid) as caught:
            await tx.organizations.add(an_organization(name="a\x00b"))

    assert caught.value.code == "not_storable"


async def _limit_pages(store: SqlStore, pages: int) -> None:
    assert isinstance(store._database, SqliteDatabase)
    connection = await store._database._writing_connection()
    await connection.execute(f"PRAGMA max_page_count = {pages}")


async def _cut_connections(url: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    await engine.dispose()


@asynccontextmanager
async def _locked(url: str, table: str) -> AsyncIterator[None]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield
    await engine.dispose()


async def _somebody_waits(url: str) -> bool:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        waiting = await connection.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted"))
        found = waiting.first() is not None
    await engine.dispose()
    return found
