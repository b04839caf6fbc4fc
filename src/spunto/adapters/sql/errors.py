"""Translates what the databases' drivers raise into Spunto's own errors."""

import sqlite3
from typing import Any

import asyncpg
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from spunto.adapters.sql.tables.schema import CONFLICTS, SCHEMA
from spunto.core.kernel.errors import Conflict, Invalid, SpuntoError, StaleVersion, Unavailable

RETRY_AFTER_SECONDS = 1.0

# What a driver or its wrapper may raise; `translated` knows which of these are bugs.
DRIVER_ERRORS = (
    SQLAlchemyError,
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    OverflowError,
    UnicodeError,
)

_LOST_RACES = {"40001", "40P01"}
_FOREIGN_KEY = "23503"
_UNIQUE = "23505"
# connection lost, out of resources, cancelled or shutting down, broken disk; a standby that only reads; and a lock that
# somebody keeps: to try at once again would be to wait for it once more.
_AWAY = ("08", "53", "57", "58", "25006", "55P03")
_NOT_STORABLE = "22"

_SQLITE_RACES = ("SQLITE_BUSY_SNAPSHOT", "SQLITE_CONSTRAINT_FOREIGNKEY")
_SQLITE_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
# The first two are the lock of another program, such as a backup, that was waited for as long as it is worth.
_SQLITE_AWAY = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_NOMEM",
    "SQLITE_PROTOCOL",
)

# SQLite names the columns of a broken constraint and not the constraint.
_SQLITE_CONSTRAINTS = {
    ", ".join(f"{table.name}.{column.name}" for column in constraint.columns): str(constraint.name)
    for table in SCHEMA.tables.values()
    for constraint in table.constraints
    if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint)
}


def translated(error: Exception) -> Exception:
    """The taxonomy's error for the driver's; the same error where it is a bug."""
    if isinstance(error, PoolTimeoutError | OSError):
        return _unavailable()
    if isinstance(error, OverflowError | UnicodeError):
        return _not_storable()
    if isinstance(error, DBAPIError):
        return _of_driver(error) or error
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(getattr(error, "sqlite_errorname", ""), str(error)) or error
    if isinstance(error, StatementError):
        return _not_storable()
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        return _of_postgres(error) or error
    return error


def _of_driver(error: DBAPIError) -> SpuntoError | None:
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return _of_sqlite(str(name), str(error.orig))
    return _unavailable() if error.connection_invalidated else _of_postgres(getattr(error.orig, "__cause__", None))


def _of_sqlite(name: str, text: str) -> SpuntoError | None:
    if name.startswith(_SQLITE_RACES):
        return StaleVersion("database", "")
    if name in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}:
        return _conflict(_SQLITE_CONSTRAINTS.get(text.partition(": ")[2]))
    if name.startswith(_SQLITE_DAMAGED):
        return Unavailable("database_damaged", "The database's file is damaged; restore a backup of it.")
    if name == "SQLITE_TOOBIG":
        return _not_storable()
    return _unavailable() if name.startswith(_SQLITE_AWAY) else None


def _of_postgres(error: Any) -> SpuntoError | None:
    state = getattr(error, "sqlstate", None)
    if state is None:
        # The driver's own complaint, not the server's: the connection broke under it.
        return _unavailable() if isinstance(error, asyncpg.InterfaceError) else None
    if state == _UNIQUE:
        return _conflict(error.constraint_name)
    if state in _LOST_RACES or state == _FOREIGN_KEY:
        return StaleVersion("database", "")
    if state.startswith(_AWAY):
        return _unavailable()
    return _not_storable() if state.startswith(_NOT_STORABLE) else None


def _conflict(constraint: str | None) -> Conflict:
    named = CONFLICTS.get(constraint or "")
    return StaleVersion("database", "") if named is None else Conflict(*named)


def _unavailable() -> Unavailable:
    return Unavailable(
        "database_unavailable",
        "The database can't answer now; try again in a moment.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


def _not_storable() -> Invalid:
    return Invalid("not_storable", "A value is too large for the database or holds characters that it does not store.")
