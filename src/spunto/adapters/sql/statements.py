"""Runs statements on a connection and gives rows; what the drivers raise comes out as Spunto's own errors."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeAlias

from sqlalchemy import Executable, Row

from spunto.adapters.sql.errors import translated

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
    await take_turn(turns)
    try:
        yield
    finally:
        turns.release()


async def take_turn(turns: asyncio.Semaphore) -> None:
    """Wait in the order of arrival; the pools don't, and under load somebody would wait for ever."""
    if not turns.locked():
        await turns.acquire()
        return
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await turns.acquire()
    except TimeoutError as error:
        raise translated(error) from error


async def first(statements: Statements, statement: Executable, parameters: dict[str, Any]) -> AnyRow | None:
    return next(iter(await statements.all(statement, parameters)), None)
