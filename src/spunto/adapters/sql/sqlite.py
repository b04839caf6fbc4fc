"""Connections to an SQLite file.

Writers go through aiosqlite one after the other, so that waiting for the disk never stops the event loop. Readers are
direct: in WAL mode nothing makes them wait, and a hop to a thread would cost more than the query.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from sqlalchemy import URL, Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from spunto.adapters.sql.errors import DRIVER_ERRORS, translated
from spunto.adapters.sql.statements import STATEMENT_SECONDS, AsyncStatements, DirectStatements, Statements, in_turn
from spunto.adapters.sql.types import to_json
from spunto.adapters.sql.written import Writer

# Only another process can hold the lock: a backup, a migration.
BUSY_SECONDS = 1.0
BUSY_WHILE_READING_SECONDS = 0.1


class SqliteDatabase:
    def __init__(self, url: URL) -> None:
        self._file = url.database
        self._writer = writing_engine_of(url)
        self._words = Writer(self._writer.dialect)
        self._reader: sqlite3.Connection | None = None
        # A queue in the order of arrival; SQLite's own waiting is by repetition and starves the unlucky.
        self._turns = asyncio.Semaphore(1)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Statements]:
        async with in_turn(self._turns):
            connection = self._writer.connect()
            try:
                _ = await connection.start()
                _ = await connection.begin()
            except DRIVER_ERRORS as error:
                await connection.close()
                raise translated(error) from error
            try:
                yield AsyncStatements(connection)
            finally:
                await connection.close()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Statements]:
        try:
            # One for all: each statement is over before the next one begins.
            self._reader = self._reader or _reading(self._file)
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        yield DirectStatements(self._reader, self._words)

    async def aclose(self) -> None:
        if self._reader is not None:
            self._reader.close()
        await self._writer.dispose()


def writing_engine_of(url: URL, *, foreign_keys: str = "ON") -> AsyncEngine:
    """One connection, whose transactions take the write lock when they begin."""
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        pool_size=1,
        max_overflow=0,
        pool_timeout=STATEMENT_SECONDS,
        json_serializer=to_json,
        json_deserializer=orjson.loads,
        connect_args={"timeout": BUSY_SECONDS},
    )
    _prepare(engine.sync_engine, "journal_mode = WAL", "synchronous = FULL", f"foreign_keys = {foreign_keys}")
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _reading(file: str | None) -> sqlite3.Connection:
    """A connection without transactions: each statement sees what is committed when it starts."""
    connection = sqlite3.connect(
        file or ":memory:", timeout=BUSY_WHILE_READING_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA query_only = ON")
    return connection


def _prepare(engine: Engine, *pragmas: str) -> None:
    def connected(connection: Any, _: object) -> None:
        # Python's driver would begin transactions by itself, and later than asked for.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine, "connect", connected)
