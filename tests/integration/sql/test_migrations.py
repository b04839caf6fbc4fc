"""Migrations lead to the declared tables, wholly or not at all, and a store opens on nothing else."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from spunto.adapters.sql import migrations, postgres, tables
from spunto.adapters.sql.migrate import head, upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.adapters.sql.tables.schema import SCHEMA, SLICES
from spunto.core.access.model import Actor, ActorKind, OrgId, Tenant, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Invalid, Unavailable
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.assignment import Tombstone
from spunto.core.nodes.model import NodeId
from spunto.core.projects.model import ProjectId
from spunto.core.routes.desired import RouteState
from spunto.core.routes.model import Route, Standing
from spunto.core.secrets.model import OWN
from spunto.core.workers.assigned import spec_of
from spunto.entrypoints.serving.databases import sqlite_url

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
HELD = """
import asyncio, os, sys
from sqlalchemy import Engine, event
from spunto.adapters.sql.migrate import upgrade

@event.listens_for(Engine, "before_cursor_execute")
def hold(*arguments):
    if "CREATE TABLE assignments" in arguments[2]:
        os.write(1, b"held")
        sys.stdin.read()

asyncio.run(upgrade(sys.argv[1]))
"""
"""Upgrades, and says in the middle of it that it waits for the end of its input."""
LOCK = text("SELECT pg_advisory_xact_lock(7312020317)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/spunto.db"
    return str(request.getfixturevalue("postgres_database"))


def test_the_newest_revision_is_the_head_that_alembic_finds() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__path__[0])))

    assert head() == scripts.get_current_head()


def test_every_file_of_tables_is_part_of_the_schema() -> None:
    files = {each.name for each in iter_modules(tables.__path__)}

    assert files - {"metadata", "schema"} == {each.__name__.rpartition(".")[2] for each in SLICES}


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


@pytest.mark.long
async def test_processes_that_upgrade_at_once_wait_for_each_other_however_long_that_takes(url: str) -> None:
    (release, released), (heard, said) = os.pipe(), os.pipe()
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", HELD, url, stdin=release, stdout=said, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(5)
    ]
    os.close(release)
    os.close(said)
    assert await asyncio.to_thread(os.read, heard, 100) == b"held"
    with pytest.raises((sqlite3.OperationalError, DBAPIError), match="lock"):
        await _wait_as_long_as_others_do(url)

    os.close(released)
    ended = [(await process.communicate())[1].decode() for process in processes]

    assert ended == [""] * 5
    assert os.read(heard, 100) == b""
    os.close(heard)
    assert await _seen(url, _differences) == []


async def _wait_as_long_as_others_do(url: str) -> None:
    """Ask for what a migration locks, with the patience of any other statement. Raises the driver's error."""
    if file := make_url(url).database if url.startswith("sqlite") else None:
        with closing(sqlite3.connect(file, timeout=postgres.LOCK_SECONDS, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
        return
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SET LOCAL lock_timeout = '{postgres.LOCK_SECONDS}s'"))
            await connection.execute(LOCK)
    finally:
        await engine.dispose()


async def test_what_is_migrated_already_is_not_written_to(tmp_path: Path) -> None:
    file = tmp_path / "spunto.db"
    await upgrade(sqlite_url(file))

    with closing(sqlite3.connect(file, isolation_level=None)) as backup:
        backup.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(1):
            await upgrade(sqlite_url(file))


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

    for use in (SqlStore.open(url, WAKEUPS), upgrade(url)):
        with pytest.raises(Invalid) as caught:
            await use
        assert (caught.value.code, caught.value.fields["found"]) == ("database_revision", "future")


@pytest.mark.parametrize("url", ["sqlite://", "mysql://host/db", "nonsense"])
async def test_an_impossible_url_is_named(url: str) -> None:
    for use in (upgrade(url), SqlStore.open(url, WAKEUPS)):
        with pytest.raises(Invalid) as caught:
            await use
        assert caught.value.code == "database_url"


async def test_assignments_and_tombstones_of_workers_alone_are_those_of_a_kind(url: str) -> None:
    await _upgrade_to(url, "0007")
    await _execute(url, *_FILLED)

    await upgrade(url)

    store = await SqlStore.open(url, WAKEUPS)
    async with store.reading() as tx:
        first, second = await tx.assignments.of_node(NodeId("nod_1"))
        buried = await tx.assignments.buried(NodeId("nod_1"), ["wkr_3"])
    await store.aclose()
    assert (first.kind, first.cause, spec_of(first).image) == ("worker", "req_1", "x:1")
    assert (second.kind, second.cause, spec_of(second)) == ("worker", "", spec_of(first))
    assert buried == {"wkr_3": Tombstone(kind="worker", generation=2**32)}
    assert await _seen(url, _differences) == []


async def test_projects_and_versions_of_before_have_their_makers_and_secrets_enter_their_owner_s_own(url: str) -> None:
    await _upgrade_to(url, "0010")
    await _execute(url, *_MADE)

    await upgrade(url)

    store = await SqlStore.open(url, WAKEUPS)
    async with store.reading() as tx:
        made_by_key = [await tx.projects.maker_of("prj_1", number) for number in (1, 2, 3)]
        tenant = Tenant(org_id=OrgId("org_1"), role=Role.OWNER, actor=_ACTOR)
        creator = (await tx.projects.get(tenant, ProjectId("prj_1"))).creator_id
        [secret] = await tx.secrets.of_owners([UserId("usr_1")])
    await store.aclose()
    assert (made_by_key, creator, secret.consent) == (["usr_1", "usr_2", "key_2"], "usr_1", OWN)


async def test_workers_of_before_have_routes(url: str) -> None:
    await _upgrade_to(url, "0018")
    await _execute(url, *_WORKERS)

    await upgrade(url)

    store = await SqlStore.open(url, WAKEUPS)
    async with store.reading() as tx:
        routes = {each.id: each for each in await tx.routes.of_subjects([f"wkr_{state}" for state in _ROUTE_STATES])}
    await store.aclose()
    assert {each.id[4:]: each.standing.state.value for each in routes.values()} == _ROUTE_STATES
    assert routes["wkr_ready"] == Route(
        id="wkr_ready",
        org_id=OrgId("org_1"),
        owner_id="usr_1",
        index=1,
        standing=Standing(state=RouteState.UP, reason="ready", node_id=NodeId("nod_1")),
        changed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert routes["wkr_stopped"].owner_id == "key_1"


_ROUTE_STATES = {
    "spawning": "coming",
    "starting": "coming",
    "ready": "up",
    "stopping": "down",
    "stopped": "down",
    "error": "down",
    "destroying": "gone",
}
_ACTOR = Actor(kind=ActorKind.SYSTEM, credential_id="", roles={})
_AT = "'2026-01-01T00:00:00.000000+00:00'"
_ENVIRONMENT = (
    '{"image":"x:1","env":{},"cpuMillis":1,"memoryBytes":1,"labels":{},'
    '"postCreateCommand":null,"postStartCommand":null}'
)
_MADE = (
    "INSERT INTO projects (id, org_id, name, description, number, environment, workers_made, created_at, updated_at,"
    f" version) VALUES ('prj_1', 'org_1', 'p', '', 3, '{_ENVIRONMENT}', 0, {_AT}, {_AT}, 1)",
    *(
        "INSERT INTO project_versions (project_id, org_id, number, environment, created_at, made_by) VALUES"
        f" ('prj_1', 'org_1', {number}, '{_ENVIRONMENT}', {_AT}, '{made_by}')"
        for number, made_by in ((1, "key_1"), (2, "usr_2"), (3, "key_2"))
    ),
    *(
        "INSERT INTO api_keys (id, org_id, name, user_id, created_by, kid, secret_hash, scopes, created_at) VALUES"
        f" ('{key_id}', 'org_1', 'k', {user_id}, 'usr_1', '{key_id}', {blob}, '[]', {_AT})"
        for key_id, user_id, blob in (("key_1", "'usr_1'", "'x'"), ("key_2", "NULL", "'y'"))
    ),
    "INSERT INTO user_secrets (id, user_id, name, key_id, wrapped_key, ciphertext, size_bytes, created_at, updated_at,"
    f" version) VALUES ('sec_1', 'usr_1', 'TOKEN', 'k', 'x', 'x', 1, {_AT}, {_AT}, 1)",
)
"""What a key of a user, a user and a key of an organization made, as revision 0010 wrote it."""

_WORKERS = (
    _MADE[0],
    *(
        'INSERT INTO workers (id, org_id, project_id, project_version, user_id, api_key_id, "index", name, node_id,'
        " state, state_since, generation, docker_state, last_activity_at, created_at, version) VALUES"
        f" ('wkr_{state}', 'org_1', 'prj_1', 1, {owner}, {index}, 'w{index}', 'nod_1', '{state}', {_AT}, 1, 'running',"
        f" {_AT}, {_AT}, 1)"
        for state, index, owner in (
            ("ready", 1, "'usr_1', NULL"),
            ("stopped", 2, "NULL, 'key_1'"),
            ("spawning", 3, "'usr_1', NULL"),
            ("starting", 4, "'usr_1', NULL"),
            ("stopping", 5, "'usr_1', NULL"),
            ("error", 6, "'usr_1', NULL"),
            ("destroying", 7, "'usr_1', NULL"),
        )
    ),
)
"""Workers in every state, as the release with revision 0018 wrote them."""

_SPEC = (
    '{"orgId":"org_1","image":"x:1","madeIn":1,"power":"running","env":{},"cpuMillis":1,"memoryBytes":1,"pids":1,'
    '"postCreateCommand":null,"postStartCommand":null%s}'
)
_FILLED = (
    "INSERT INTO nodes (id, org_id, name, labels, token_hash, created_at, reserved_cpu_millis, reserved_memory_bytes,"
    " assignments, draining, epoch, connected, version, accepting) VALUES ('nod_1', 'org_1', 'n', '{}', 'x',"
    " '2026-01-01T00:00:00.000000+00:00', 0, 0, 0, false, 0, false, 1, false)",
    *(
        "INSERT INTO assignments (subject_id, kind, org_id, node_id, generation, wanted, spec, cpu_millis,"
        f" memory_bytes, reserves, wanted_since, version) VALUES ('{subject_id}', 'worker', 'org_1', 'nod_1', 1,"
        f" 'present', '{_SPEC % more}', 1, 1, true, '2026-01-01T00:00:00.000000+00:00', 1)"
        for subject_id, more in (
            ("wkr_1", ',"ownerUserId":null,"secretNames":[],"cause":"req_1"'),
            ("wkr_2", ""),
        )
    ),
    "INSERT INTO tombstones (node_id, subject_id, buried_at) VALUES"
    " ('nod_1', 'wkr_3', '2026-01-01T00:00:00.000000+00:00')",
)
"""Rows as the release with revision 0007 wrote them, and an assignment from before there were secrets."""


async def _upgrade_to(url: str, revision: str) -> None:
    def migrate(connection: Connection) -> None:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(migrations.__path__[0])))
        command.upgrade(config, revision)

    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


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
            await connection.exec_driver_sql(statement)
    await engine.dispose()


async def _seen(url: str, look: Callable[[Connection], Any]) -> Any:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        seen = await connection.run_sync(look)
    await engine.dispose()
    return seen
