"""Connections to Postgres."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson
from sqlalchemy import URL, PoolProxiedConnection, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from spunto.adapters.sql.driver import DriverStatements, DriverTransaction
from spunto.adapters.sql.errors import DRIVER_ERRORS, translated
from spunto.adapters.sql.opened import Opened
from spunto.adapters.sql.statements import STATEMENT_SECONDS, Statements, take_turn
from spunto.adapters.sql.types import to_json
from spunto.adapters.sql.written import Writer

CONNECTIONS = 16
CONNECT_SECONDS = 5.0
LOCK_SECONDS = 3
_SERVER_SETTINGS = {
    "application_name": "spunto",
    "statement_timeout": f"{STATEMENT_SECONDS - 2:.0f}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": "30s",
    # These statements touch a few rows; compiling them costs more than it gains.
    "jit": "off",
}


class PostgresDatabase:
    """A pool of connections that heals: what broke while idle is noticed and replaced before its next use."""

    def __init__(self, url: URL, *, pool_size: int) -> None:
        self._engine = engine_of(url, pool_size=pool_size)
        self._writer = Writer(self._engine.dialect)
        self._turns = asyncio.Semaphore(pool_size)
        self._idle: list[PoolProxiedConnection] = []
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Statements]:
        async with self._borrowed() as borrowed:
            transaction = DriverTransaction(borrowed, self._writer)
            try:
                yield transaction
            finally:
                await transaction.roll_back()

    def reading(self) -> AbstractAsyncContextManager[Statements]:
        return Opened(self._borrowed(), lambda borrowed: DriverStatements(borrowed, self._writer))

    async def aclose(self) -> None:
        while self._idle:
            self._idle.pop().close()
        await self._engine.dispose()

    def _borrowed(self) -> "_Borrowing":
        return _Borrowing(self._engine, self._turns, self._idle)


class _Borrowing:
    """A connection, lent in the order of arrival.

    The pool makes and counts them, but what is whole comes back to `idle`: through the pool each read would take a
    fifth longer. Transactions are over by then, so that nothing has to be reset.
    """

    def __init__(self, engine: AsyncEngine, turns: asyncio.Semaphore, idle: list[PoolProxiedConnection]) -> None:
        self._engine = engine
        self._turns = turns
        self._idle = idle
        self._borrowed: PoolProxiedConnection

    async def __aenter__(self) -> PoolProxiedConnection:
        await take_turn(self._turns)
        try:
            self._borrowed = self._whole() or await self._engine.raw_connection()
        except DRIVER_ERRORS as error:
            self._turns.release()
            raise translated(error) from error
        except BaseException:
            self._turns.release()
            raise
        return self._borrowed

    async def __aexit__(self, *_: object) -> None:
        driver: Any = self._borrowed.driver_connection
        if self._borrowed.is_valid and not driver.is_in_transaction():
            self._idle.append(self._borrowed)
        else:
            self._borrowed.close()
        self._turns.release()

    def _whole(self) -> PoolProxiedConnection | None:
        while self._idle:
            borrowed = self._idle.pop()
            driver: Any = borrowed.driver_connection
            if not driver.is_closed():
                return borrowed
            borrowed.invalidate()
        return None


def engine_of(url: URL, *, pool_size: int = 1) -> AsyncEngine:
    return _engine(url, pool_size=pool_size, statement_seconds=STATEMENT_SECONDS, settings=_SERVER_SETTINGS)


def migrating_engine_of(url: URL, *, seconds: float) -> AsyncEngine:
    """One connection, for statements that take long and wait for others' migrations."""
    patient = {"statement_timeout": f"{seconds:.0f}s", "lock_timeout": f"{seconds:.0f}s"}
    return _engine(url, pool_size=1, statement_seconds=seconds, settings={**_SERVER_SETTINGS, **patient})


def _engine(url: URL, *, pool_size: int, statement_seconds: float, settings: Mapping[str, str]) -> AsyncEngine:
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        json_serializer=to_json,
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": statement_seconds,
            "server_settings": settings,
        },
    )


def _refuse_closed(_: Any, record: Any, __: Any) -> None:
    if record.driver_connection.is_closed():
        raise InvalidatePoolError
