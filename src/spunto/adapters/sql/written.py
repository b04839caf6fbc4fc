"""Core's statements in a driver's own words: SQLAlchemy writes each of them once, and its engine takes no part in the
running, which would take longer than most of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

KEPT: Final = "spunto_kept"
"""An execution option of SQLAlchemy's."""

_Processor = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """`fixed` are the values that are part of the statement; `columns` are the results that don't come from the driver
    as they should be read, by place. `kept`: the answer is small, and asked for again and again."""

    sql: str
    binds: Sequence[tuple[str, _Processor]]
    fixed: Mapping[str, Any]
    columns: Sequence[tuple[int, Callable[[Any], Any]]]
    kept: bool

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        values = {**self.fixed, **parameters}
        return [values[name] if process is None else process(values[name]) for name, process in self.binds]

    def rows(self, raw: Sequence[Any]) -> Sequence[Any]:
        """What the driver gave, as it should be read."""
        if not self.columns:
            return raw
        rows = [list(row) for row in raw]
        for place, process in self.columns:
            for row in rows:
                row[place] = process(row[place])
        return rows


class Writer:
    """Remembers statements as written for the driver. They are constants of their modules, so their number is small.

    Which columns an insert or an update sets follows from the names of its parameters, as it does for SQLAlchemy.
    """

    CAPACITY = 512

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._written: dict[tuple[Executable, tuple[str, ...]], Written] = {}

    def written(self, statement: Executable, parameters: Mapping[str, Any]) -> Written:
        names = tuple(parameters)
        known = self._written.get((statement, names))
        if known is None:
            if len(self._written) >= self.CAPACITY:
                self._written.clear()
            known = self._written[statement, names] = _written(statement, names, self.dialect)
        return known


def _written(statement: Any, names: Sequence[str], dialect: Dialect) -> Written:
    keys = None if statement.is_select else list(names)
    compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=keys)
    places = compiled.positiontup or []
    read = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in statement.exported_columns]
    return Written(
        sql=compiled.string,
        binds=[(name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in places],
        fixed={name: compiled.binds[name].effective_value for name in places if not compiled.binds[name].required},
        columns=[(place, process) for place, process in enumerate(read) if process is not None],
        kept=bool(statement.get_execution_options().get(KEPT)),
    )
