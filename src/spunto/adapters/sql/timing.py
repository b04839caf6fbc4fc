"""Tells how long a database's statements take."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from sqlalchemy import Executable

from spunto.adapters.sql.statements import AnyRow, Statements

Took = Callable[[float], None]


class Database(Protocol):
    def writing(self) -> AbstractAsyncContextManager[Statements]:
        """A transaction; leaving it without commit rolls it back."""

    def reading(self) -> AbstractAsyncContextManager[Statements]:
        """No transaction: each statement for itself."""

    async def aclose(self) -> None: ...


class TimedDatabase:
    """Another database, of which `took` hears each statement that succeeds, in seconds.

    It stands around ours and not in SQLAlchemy's events: those cost a tenth of a short read, and don't see all of them.
    """

    def __init__(self, database: Database, took: Took) -> None:
        self._database = database
        self._took = took
        self.aclose = database.aclose

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Statements]:
        async with self._database.writing() as statements:
            yield _TimedStatements(statements, self._took)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Statements]:
        async with self._database.reading() as statements:
            yield _TimedStatements(statements, self._took)


class _TimedStatements:
    def __init__(self, statements: Statements, took: Took) -> None:
        self._statements = statements
        self._took = took
        self.dialect = statements.dialect
        self.commit = statements.commit

    async def all(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[AnyRow]:
        begun = time.perf_counter()
        rows = await self._statements.all(statement, parameters)
        self._took(time.perf_counter() - begun)
        return rows

    async def change(self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]]) -> int:
        begun = time.perf_counter()
        changed = await self._statements.change(statement, parameters)
        self._took(time.perf_counter() - begun)
        return changed
