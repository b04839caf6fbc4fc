"""Reads on Postgres without SQLAlchemy's engine: Core writes the statement once, and asyncpg runs it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import Dialect, Executable, PoolProxiedConnection
from sqlalchemy.sql.compiler import SQLCompiler

from spunto.adapters.sql.errors import DRIVER_ERRORS, translated
from spunto.adapters.sql.statements import AnyRow

_Processor = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A statement in the driver's words; `fixed` are the values that are part of it."""

    sql: str
    processors: Sequence[tuple[str, _Processor]]
    fixed: Mapping[str, Any]

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        values = {**self.fixed, **parameters}
        return [values[name] if process is None else process(values[name]) for name, process in self.processors]


class Writer:
    """Remembers statements as written for the driver. They are constants of their modules, so their number is small."""

    CAPACITY = 256

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._written: dict[Executable, _Written] = {}

    def written(self, statement: Executable) -> _Written:
        known = self._written.get(statement)
        if known is None:
            if len(self._written) >= self.CAPACITY:
                self._written.clear()
            known = self._written[statement] = _written(statement, self.dialect)
        return known


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
        written = self._writer.written(statement)
        try:
            rows: Sequence[AnyRow] = await self._driver.fetch(written.sql, *written.arguments(parameters))
        except BaseException as error:
            if not isinstance(error, asyncpg.PostgresError):
                # Broken off midway: nobody knows what the connection would answer next.
                self._borrowed.invalidate()
            if isinstance(error, DRIVER_ERRORS):
                raise translated(error) from error
            raise
        return rows

    async def change(self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]]) -> int:
        raise TypeError("what reads does not change anything")

    async def commit(self) -> None:
        """There is nothing to make permanent."""


def _written(statement: Any, dialect: Dialect) -> _Written:
    """Raises TypeError for a column whose values SQLAlchemy would have to change on their way out."""
    compiled: SQLCompiler = statement.compile(dialect=dialect)
    for column in statement.selected_columns:
        if column.type.dialect_impl(dialect).result_processor(dialect, None) is not None:
            raise TypeError(f"{column} does not come from the driver as it should be read")
    names = compiled.positiontup or []
    return _Written(
        sql=compiled.string,
        processors=[(name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names],
        fixed={name: compiled.binds[name].effective_value for name in names if not compiled.binds[name].required},
    )
