"""Runs statements on a connection and gives rows; what the drivers raise comes out as Spunto's own errors."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeAlias

from sqlalchemy import Executable, Row
from sqlalchemy.ext.asyncio import AsyncConnection

from spunto.adapters.sql.errors import DRIVER_ERRORS, translated
from spunto.adapters.sql.written import Writer

STATEMENT_SECONDS = 10.0
TURN_SECONDS = 5.0
AnyRow: TypeAlias = Row[*tuple[Any, ...]]


class Statements(Protocol):
    """A connection, inside a transaction or without one."""

    @property
    def dialect(self) -> str: ...

    async def all(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[AnyRow]: ...

    async def change(self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]]) -> int:
        """How many rows were changed."""

    async def commit(self) -> None: ...


@asynccontextmanager
async def in_turn(turns: asyncio.Semaphore) -> AsyncIterator[None]:
    """Wait in the order of arrival; the pools don't, and under load somebody would wait for ever."""
    if turns.locked():
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turns.acquire()
        except TimeoutError as error:
            raise translated(error) from error
    else:
        await turns.acquire()
    try:
        yield
    finally:
        turns.release()


async def first(statements: Statements, statement: Executable, parameters: dict[str, Any]) -> AnyRow | None:
    return next(iter(await statements.all(statement, parameters)), None)


class AsyncStatements:
    """On an asynchronous driver."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.dialect = connection.dialect.name

    async def all(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[AnyRow]:
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                return (await self._connection.execute(statement, parameters)).all()
        except DRIVER_ERRORS as error:
            raise translated(error) from error

    async def change(self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]]) -> int:
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                return (await self._connection.execute(statement, parameters)).rowcount
        except DRIVER_ERRORS as error:
            raise translated(error) from error

    async def commit(self) -> None:
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                await self._connection.commit()
        except DRIVER_ERRORS as error:
            raise translated(error) from error


class DirectStatements:
    """On the event loop's own thread, without transactions: for reads of a local file, which take less time than a hop
    to another thread."""

    def __init__(self, connection: sqlite3.Connection, writer: Writer) -> None:
        self._connection = connection
        self._writer = writer
        self.dialect = writer.dialect.name

    async def all(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[AnyRow]:
        written = self._writer.written(statement, parameters)
        try:
            raw = self._connection.execute(written.sql, written.arguments(parameters)).fetchall()
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        return written.rows(raw)

    async def change(self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]]) -> int:
        raise TypeError("what reads does not change anything")

    async def commit(self) -> None:
        """There is nothing to make permanent."""
