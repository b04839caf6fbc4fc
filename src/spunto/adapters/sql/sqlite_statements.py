"""Statements on an SQLite file as its driver runs them: reads on the event loop's thread, writes on another."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import Executable

from spunto.adapters.sql.errors import DRIVER_ERRORS, translated
from spunto.adapters.sql.statements import STATEMENT_SECONDS, AnyRow
from spunto.adapters.sql.written import Writer, Written

_Parameters = dict[str, Any] | list[dict[str, Any]]
_Done = TypeVar("_Done")


class Reader:
    """The connection that reads, and what it read since anybody last committed anything: SQLite is asked for that
    before each answer that was kept, which takes a fiftieth of the time that a list does."""

    CAPACITY = 64

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._kept: dict[tuple[Any, ...], Sequence[Any]] = {}
        self._version: int | None = None
        self.close = connection.close

    def read(self, written: Written, arguments: Sequence[Any]) -> Sequence[Any]:
        if not written.kept:
            return self._read(written.sql, arguments)
        # Before the answer: a commit in between makes it a newer one, which the next version throws away.
        [(version,)] = self._read("PRAGMA data_version", ())
        if version != self._version or len(self._kept) >= self.CAPACITY:
            self._kept.clear()
            self._version = version
        asked = (written.sql, *arguments)
        known = self._kept.get(asked)
        if known is None:
            known = self._kept[asked] = self._read(written.sql, arguments)
        return known

    def _read(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        return self._connection.execute(sql, arguments).fetchall()


class DirectStatements:
    """On the event loop's own thread, without transactions: for reads of a local file, which take less time than a hop
    to another thread."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self.dialect = writer.dialect.name

    async def all(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[AnyRow]:
        written = self._writer.written(statement, parameters)
        try:
            raw = self._reader.read(written, written.arguments(parameters))
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        return written.rows(raw)

    async def change(self, statement: Executable, parameters: _Parameters) -> int:
        raise TypeError("what reads does not change anything")

    async def commit(self) -> None:
        """There is nothing to make permanent."""


class SqliteTransaction:
    """On the one connection that writes, which does what it is told in order. Whoever leaves it rolls back the rest."""

    def __init__(self, connection: aiosqlite.Connection, writer: Writer) -> None:
        self._connection = connection
        self._writer = writer
        self.dialect = writer.dialect.name

    async def begin(self) -> None:
        """Take the write lock. Raises Unavailable while another process keeps it."""
        await _in_time(self._connection.execute("BEGIN IMMEDIATE"))

    async def all(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[AnyRow]:
        written = self._writer.written(statement, parameters)
        fetching = self._connection.execute_fetchall(written.sql, written.arguments(parameters))
        return written.rows(list(await _in_time(fetching)))

    async def change(self, statement: Executable, parameters: _Parameters) -> int:
        several = parameters if isinstance(parameters, list) else [parameters]
        written = self._writer.written(statement, several[0])
        arguments = [written.arguments(each) for each in several]
        if len(arguments) == 1:
            return (await _in_time(self._connection.execute(written.sql, arguments[0]))).rowcount
        return (await _in_time(self._connection.executemany(written.sql, arguments))).rowcount

    async def commit(self) -> None:
        await _in_time(self._connection.commit())

    async def roll_back(self) -> None:
        """What was not committed never happened. It stands in line behind a statement that was broken off."""
        with suppress(*DRIVER_ERRORS):
            await self._connection.rollback()


async def _in_time(doing: Awaitable[_Done]) -> _Done:
    try:
        async with asyncio.timeout(STATEMENT_SECONDS):
            return await doing
    except DRIVER_ERRORS as error:
        raise translated(error) from error
