"""A database whose transactions and statements somebody watches. What is told names tables, and never values."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Executable, SelectBase, Table
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.visitors import iterate

from spunto.adapters.sql.statements import AnyRow, Statements
from spunto.adapters.sql.timing import Database

AroundTransaction: TypeAlias = Callable[[], AbstractContextManager[None]]
AroundStatement: TypeAlias = Callable[[str, str, str], AbstractContextManager[None]]
"""Entered with the dialect, the operation and the (first) table; that is empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    around_transaction: AroundTransaction
    around_statement: AroundStatement


def watch_of(around_transaction: AroundTransaction | None, around_statement: AroundStatement | None) -> Watch | None:
    """None unless both are there."""
    if around_transaction is None or around_statement is None:
        return None
    return Watch(around_transaction=around_transaction, around_statement=around_statement)


class WatchedDatabase:
    def __init__(self, database: Database, watch: Watch) -> None:
        self._database = database
        self._watch = watch

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Statements]:
        with self._watch.around_transaction():
            async with self._database.writing() as statements:
                yield WatchedStatements(statements, self._watch.around_statement)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Statements]:
        async with self._database.reading() as statements:
            yield WatchedStatements(statements, self._watch.around_statement)

    async def aclose(self) -> None:
        await self._database.aclose()


class WatchedStatements:
    def __init__(self, statements: Statements, around: AroundStatement) -> None:
        self._statements = statements
        self._around = around
        self.dialect = statements.dialect

    async def all(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[AnyRow]:
        with self._around(self.dialect, *summary_of(statement)):
            return await self._statements.all(statement, parameters)

    async def change(self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]]) -> int:
        with self._around(self.dialect, *summary_of(statement)):
            return await self._statements.change(statement, parameters)

    async def commit(self) -> None:
        with self._around(self.dialect, "COMMIT", ""):
            await self._statements.commit()


# Most statements are constants of their modules.
@lru_cache(maxsize=256)
def summary_of(statement: Executable) -> tuple[str, str]:
    """What a statement does, and to which table."""
    if isinstance(statement, UpdateBase):
        return type(statement).__visit_name__.upper(), str(getattr(statement.table, "name", ""))
    if isinstance(statement, SelectBase):
        return "SELECT", next((each.name for each in iterate(statement) if isinstance(each, Table)), "")
    return "OTHER", ""
