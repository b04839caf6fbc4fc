"""Brings a database to the revision that this version needs, and refuses any other one."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, String, column, inspect, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spunto.adapters.sql import postgres, sqlite
from spunto.adapters.sql.errors import DRIVER_ERRORS, translated
from spunto.adapters.sql.statements import Statements
from spunto.adapters.sql.urls import is_sqlite, parsed
from spunto.core.kernel.errors import Unavailable

_SCRIPTS = Path(__file__).with_name("migrations")
_CURRENT = select(column("version_num", String())).select_from(table("alembic_version"))
# Of several processes that start together one migrates, the others wait for it. The number means nothing.
_LOCK = text("SELECT pg_advisory_xact_lock(7312020317)")


async def upgrade(url: str) -> None:
    """Run what is missing, in one transaction: a database is at the old revision or at the new one, never between."""
    target = parsed(url)
    async with _connected(target) as connection, connection.begin():
        if not is_sqlite(target):
            await connection.execute(_LOCK)
        await connection.run_sync(_upgrade)


async def require_current(statements: Statements) -> None:
    """Raises Unavailable `database_revision` unless the database is at the newest revision."""
    expected = head()
    found = await _current(statements)
    if found != expected:
        raise Unavailable(
            "database_revision",
            f"The database is at revision {found or 'none'}, this version needs {expected}: "
            "run `spunto db upgrade`, or the version of Spunto that the database belongs to.",
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


@functools.cache
def head() -> str:
    """The newest revision, which is the number that its file's name begins with."""
    return max(file.name.partition("_")[0] for file in (_SCRIPTS / "versions").glob("[0-9]*.py"))


def _upgrade(connection: Connection) -> None:
    if _is_current(connection):
        return
    # Alembic takes a quarter of a second to import, which a start that has nothing to migrate can do without.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_SCRIPTS))
    command.upgrade(config, "head")


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    return connection.execute(_CURRENT).scalars().all() == [head()]


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
    return postgres.engine_of(url)
