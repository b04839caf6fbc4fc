"""Statements on Postgres as asyncpg runs them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
from sqlalchemy import Executable, PoolProxiedConnection

from spunto.adapters.sql.errors import DRIVER_ERRORS, translated
from spunto.adapters.sql.statements import AnyRow
from spunto.adapters.sql.written import Writer
from spunto.core.kernel.errors import SpuntoError, StaleVersion

_Parameters = dict[str, Any] | list[dict[str, Any]]


class DriverStatements:
    """On a borrowed connection outside transactions: each statement sees what is committed when it starts.

    The connection's own `command_timeout` bounds each statement.
    """

    def __init__(self, borrowed: PoolProxiedConnection, writer: Writer) -> None:
        self._borrowed = borrowed
        self._driver: Any = borrowed.driver_connection
        self._writer = writer
        self.dialect = writer.dialect.name

    async def all(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[AnyRow]:
        written = self._writer.written(statement, parameters)
        return written.rows(await self._run(self._driver.fetch, written.sql, *written.arguments(parameters)))

    async def change(self, statement: Executable, parameters: _Parameters) -> int:
        raise TypeError("what reads does not change anything")

    async def commit(self) -> None:
        """There is nothing to make permanent."""

    async def _run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await call(*arguments)
        except BaseException as error:
            if not isinstance(error, asyncpg.PostgresError):
                # Broken off midway: nobody knows what the connection would answer next.
                self._borrowed.invalidate()
            if isinstance(error, DRIVER_ERRORS):
                raise translated(error) from error
            raise


class DriverTransaction(DriverStatements):
    """The same in a transaction, which begins with its first statement; whoever leaves it rolls back the rest."""

    _has_begun = False

    async def all(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[AnyRow]:
        await self._begin()
        return await super().all(statement, parameters)

    async def change(self, statement: Executable, parameters: _Parameters) -> int:
        await self._begin()
        if isinstance(parameters, dict):
            return await self._change(statement, parameters)
        if len(parameters) == 1:
            return await self._change(statement, parameters[0])
        written = self._writer.written(statement, parameters[0])
        await self._run(self._driver.executemany, written.sql, [written.arguments(each) for each in parameters])
        return len(parameters)

    async def commit(self) -> None:
        if not self._has_begun:
            return
        self._has_begun = False
        if await self._run(self._driver.execute, "COMMIT") != "COMMIT":
            # A statement had failed before, and Postgres has rolled everything back.
            raise StaleVersion("database", "")

    async def roll_back(self) -> None:
        """What was not committed never happened. On a connection that broke this is so without a word."""
        if self._has_begun and self._borrowed.is_valid:
            self._has_begun = False
            with suppress(SpuntoError):
                await self._run(self._driver.execute, "ROLLBACK")

    async def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            await self._run(self._driver.execute, "BEGIN")

    async def _change(self, statement: Executable, parameters: dict[str, Any]) -> int:
        written = self._writer.written(statement, parameters)
        # Such as `UPDATE 1` or `INSERT 0 1`.
        status: str = await self._run(self._driver.execute, written.sql, *written.arguments(parameters))
        return int(status.rpartition(" ")[2])
