"""A database whose transactions and statements somebody watches. What is told names tables, and never values."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, TypeVar

from sqlalchemy import Executable, SelectBase, Table
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.visitors import iterate

from spunto.adapters.sql.opened import Opened
from spunto.adapters.sql.statements import AnyRow, Statements

Took: TypeAlias = Callable[[float], None]
"""Hears how many seconds a statement took that succeeded."""
AroundTransaction: TypeAlias = Callable[[], AbstractContextManager[None]]
AroundStatement: TypeAlias = Callable[[str, str, str], AbstractContextManager[None]]
"""Entered with the dialect, the operation and the (first) table; that is empty where there is none."""

_Done = TypeVar("_Done")


class Database(Protocol):
    def writing(self) -> AbstractAsyncContextManager[Statements]:
        """A transaction; leaving it without commit rolls it back."""

    def reading(self) -> AbstractAsyncContextManager[Statements]:
        """No transaction: each statement for itself."""

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who watches; what is None is not watched. A commit is shown to who stands around statements, and is not timed."""

    took: Took | None = None
    around_transaction: AroundTransaction | None = None
    around_statement: AroundStatement | None = None


UNWATCHED = Watch()


def watched(database: Database, watch: Watch) -> Database:
    """The database itself where nobody watches."""
    return database if watch == UNWATCHED else _WatchedDatabase(database, watch)


class _WatchedDatabase:
    """Stands around ours and not in SQLAlchemy's events: they cost a tenth of a short read, and miss some of them."""

    def __init__(self, database: Database, watch: Watch) -> None:
        self._database = database
        self._watch = watch
        self._around_transaction = watch.around_transaction or nullcontext
        self.aclose = database.aclose

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Statements]:
        with self._around_transaction():
            async with self._database.writing() as statements:
                yield _WatchedStatements(statements, self._watch)

    def reading(self) -> AbstractAsyncContextManager[Statements]:
        return Opened(self._database.reading(), lambda statements: _WatchedStatements(statements, self._watch))


class _WatchedStatements:
    def __init__(self, statements: Statements, watch: Watch) -> None:
        self._statements = statements
        self._took = watch.took
        self._around = watch.around_statement
        self.dialect = statements.dialect

    async def all(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[AnyRow]:
        return await self._watched(statement, self._statements.all(statement, parameters))

    async def change(self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]]) -> int:
        return await self._watched(statement, self._statements.change(statement, parameters))

    async def commit(self) -> None:
        if self._around is None:
            await self._statements.commit()
            return
        with self._around(self.dialect, "COMMIT", ""):
            await self._statements.commit()

    async def _watched(self, statement: Executable, work: Awaitable[_Done]) -> _Done:
        if self._around is None:
            return await self._timed(work)
        with self._around(self.dialect, *summary_of(statement)):
            return await self._timed(work)

    async def _timed(self, work: Awaitable[_Done]) -> _Done:
        begun = time.perf_counter()
        done = await work
        if self._took is not None:
            self._took(time.perf_counter() - begun)
        return done


# Most statements are constants of their modules.
@lru_cache(maxsize=256)
def summary_of(statement: Executable) -> tuple[str, str]:
    """What a statement does, and to which table."""
    if isinstance(statement, UpdateBase):
        return type(statement).__visit_name__.upper(), str(getattr(statement.table, "name", ""))
    if isinstance(statement, SelectBase):
        return "SELECT", next((each.name for each in iterate(statement) if isinstance(each, Table)), "")
    return "OTHER", ""
