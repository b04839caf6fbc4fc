"""Connections to an SQLite file.

Writers go through aiosqlite one after the other, so that waiting for the disk never stops the event loop. Readers are
direct: in WAL mode nothing makes them wait, and a hop to a thread would cost more than the query.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

import aiosqlite
import orjson
from sqlalchemy import URL, Dialect, Engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from spunto.adapters.sql.errors import DRIVER_ERRORS, translated
from spunto.adapters.sql.sqlite_statements import DirectStatements, Reader, SqliteTransaction
from spunto.adapters.sql.statements import STATEMENT_SECONDS, Statements, in_turn
from spunto.adapters.sql.types import to_json
from spunto.adapters.sql.written import Writer

# Only another process can hold the lock: a backup, a migration.
BUSY_SECONDS = 3.0
BUSY_WHILE_READING_SECONDS = 0.1
# A backup of a large database may take its time, and a start that gives up helps nobody.
BUSY_WHILE_MIGRATING_SECONDS = 30.0
DURABLE = ("journal_mode = WAL", "synchronous = FULL")


class SqliteDatabase:
    def __init__(self, url: URL) -> None:
        self._file = url.database or ":memory:"
        self._words = Writer(_dialect())
        self._writer: aiosqlite.Connection | None = None
        self._reader: Reader | None = None
        # A queue in the order of arrival; SQLite's own waiting is by repetition and starves the unlucky.
        self._turns = asyncio.Semaphore(1)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Statements]:
        async with in_turn(self._turns):
            transaction = SqliteTransaction(await self._writing_connection(), self._words)
            try:
                await transaction.begin()
                yield transaction
            finally:
                await transaction.roll_back()

    def reading(self) -> AbstractAsyncContextManager[Statements]:
        try:
            # One for all: each statement is over before the next one begins.
            self._reader = self._reader or Reader(_reading(self._file))
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        return nullcontext(DirectStatements(self._reader, self._words))

    async def aclose(self) -> None:
        if self._reader is not None:
            self._reader.close()
        if self._writer is not None:
            await self._writer.close()

    async def _writing_connection(self) -> aiosqlite.Connection:
        if self._writer is None:
            try:
                self._writer = await _writing(self._file)
            except DRIVER_ERRORS as error:
                raise translated(error) from error
        return self._writer


async def _writing(file: str) -> aiosqlite.Connection:
    """A connection whose transactions begin when they are told to."""
    connection = await aiosqlite.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        for pragma in (*DURABLE, "foreign_keys = ON"):
            await connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        await connection.close()
        raise
    return connection


def _reading(file: str) -> sqlite3.Connection:
    """A connection without transactions: each statement sees what is committed when it starts."""
    connection = sqlite3.connect(
        file, timeout=BUSY_WHILE_READING_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA query_only = ON")
    return connection


def _dialect() -> Dialect:
    return SQLiteDialect_pysqlite(json_serializer=to_json, json_deserializer=orjson.loads)


def migrating_engine_of(url: URL) -> AsyncEngine:
    """One connection, whose transactions take the write lock when they begin.

    SQLite changes a table by copying it, and dropping the old one must not take its children along.
    """
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        pool_size=1,
        max_overflow=0,
        pool_timeout=STATEMENT_SECONDS,
        json_serializer=to_json,
        json_deserializer=orjson.loads,
        connect_args={"timeout": BUSY_WHILE_MIGRATING_SECONDS},
    )
    _prepare(engine.sync_engine, *DURABLE, "foreign_keys = OFF")
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _prepare(engine: Engine, *pragmas: str) -> None:
    def connected(connection: Any, _: object) -> None:
        # Python's driver would begin transactions by itself, and later than asked for.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine, "connect", connected)
