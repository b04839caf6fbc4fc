"""Brings a database to the revision that this version needs, and refuses any other one."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, String, column, inspect, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spunto.adapters.sql import postgres, sqlite
from spunto.adapters.sql.errors import DRIVER_ERRORS, translated
from spunto.adapters.sql.sqlite_file import in_turn_on, make_usable
from spunto.adapters.sql.statements import Statements
from spunto.adapters.sql.urls import is_sqlite, parsed
from spunto.core.kernel.errors import Invalid, Unavailable

_SCRIPTS = Path(__file__).with_name("migrations")
_CURRENT = select(column("version_num", String())).select_from(table("alembic_version"))
# Of several processes that start together one migrates, the others wait for it. The number means nothing.
_LOCK = text("SELECT pg_advisory_xact_lock(7312020317)")
# Once it is this one's turn: whoever waits for a table keeps everybody behind it waiting too.
_TABLES_IN_TIME = text("SET LOCAL lock_timeout = '10s'")
MIGRATION_SECONDS = 600.0


async def upgrade(url: str) -> str | None:
    """Run what is missing, in one transaction: a database is at the old revision or at the new one, never between.
    The old one; None where there was none.

    Of several processes that do so at once one migrates, and the others wait for it. Raises Invalid
    `database_revision` for the database of a newer version, Invalid `database_not_usable`.
    """
    target = parsed(url)
    if not is_sqlite(target):
        return await _migrate(target)
    file = Path(target.database or "")
    make_usable(file)
    async with in_turn_on(file, seconds=MIGRATION_SECONDS):
        # Looked at first, since a backup that holds the write lock must not keep a server from starting.
        found = await _found_in(target)
        return found if found == head() else await _migrate(target)


async def _migrate(target: URL) -> str | None:
    async with _connected(target) as connection, connection.begin():
        if not is_sqlite(target):
            await connection.execute(_LOCK)
            await connection.execute(_TABLES_IN_TIME)
        return await connection.run_sync(_upgrade)


async def _found_in(target: URL) -> str | None:
    database = sqlite.SqliteDatabase(target)
    try:
        async with database.reading() as statements:
            return await _current(statements)
    finally:
        await database.aclose()


async def require_current(statements: Statements) -> None:
    """Raises Unavailable `database_revision` unless the database is at the newest revision, Invalid for a newer one."""
    expected = head()
    found = await _current(statements)
    _require_known(found)
    if found != expected:
        raise Unavailable(
            "database_revision",
            f"The database is at revision {found or 'none'}, this version needs {expected}: run `spunto db upgrade`.",
            found=found,
            expected=expected,
        )


async def _current(statements: Statements) -> str | None:
    try:
        rows = await statements.all(_CURRENT, {})
    except Unavailable:
        raise
    except DRIVER_ERRORS:
        return None  # There is no such table: nothing was ever migrated.
    return ",".join(sorted(row[0] for row in rows)) or None


def _require_known(found: str | None) -> None:
    if found is not None and found not in revisions():
        raise Invalid(
            "database_revision",
            f"The database is at revision {found}, and this version of Spunto knows none above {head()}: "
            "run the version that the database belongs to, or restore a backup from before its upgrade.",
            found=found,
            expected=head(),
        )


def head() -> str:
    """The newest revision."""
    return max(revisions())


@functools.cache
def revisions() -> frozenset[str]:
    """All that this version knows: each is the number that its file's name begins with."""
    return frozenset(file.name.partition("_")[0] for file in (_SCRIPTS / "versions").glob("[0-9]*.py"))


def _upgrade(connection: Connection) -> str | None:
    """The revision that was found."""
    found = _revision_of(connection)
    _require_known(found)
    if found == head():
        return found
    # Alembic takes a quarter of a second to import, which a start that has nothing to migrate can do without.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    # Where this is installed may have a percent sign in its name, which alembic takes for one of its variables.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    command.upgrade(config, "head")
    return found


def _revision_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return ",".join(sorted(connection.execute(_CURRENT).scalars())) or None


@asynccontextmanager
async def _connected(url: URL) -> AsyncIterator[AsyncConnection]:
    engine = _engine_of(url)
    try:
        async with engine.connect() as connection:
            yield connection
    except DRIVER_ERRORS as error:
        raise translated(error) from error
    finally:
        await engine.dispose()


def _engine_of(url: URL) -> AsyncEngine:
    if is_sqlite(url):
        return sqlite.migrating_engine_of(url)
    return postgres.migrating_engine_of(url, seconds=MIGRATION_SECONDS)
