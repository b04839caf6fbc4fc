"""Column types that look the same from Python whatever the database."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import JSON, DateTime, Dialect, String, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine


class Instant(TypeDecorator[datetime]):
    """An aware moment in UTC with microseconds. SQLite keeps it as text of one width, which sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return _IsoText() if dialect.name == "sqlite" else DateTime(timezone=True)


class _IsoText(Text):
    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return lambda value: None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        return lambda value: None if value is None else datetime.fromisoformat(value)


class IdList(TypeDecorator[Any]):
    """Ids as one parameter, so that their number does not change the statement."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text() if dialect.name == "sqlite" else ARRAY(Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return orjson.dumps(list(value)).decode() if dialect.name == "sqlite" else list(value)


class _Elements(FunctionElement[Any]):
    """The rows of an IdList."""

    inherit_cache = True
    type = Text()


@compiles(_Elements, "sqlite")
def _from_json(element: _Elements, compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **options)}))"  # noqa: S608 - made of the statement's own parts


@compiles(_Elements, "postgresql")
def _from_array(element: _Elements, compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT unnest({compiler.process(element.clauses, **options)}))"


def is_in(column: ColumnElement[Any], ids: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the column holds one of the ids in an IdList."""
    return column.bool_op("IN")(_Elements(ids))


# Ids compare byte by byte, as in Python, whatever the database's own collation is.
ID = String().with_variant(String(collation="C"), "postgresql")
JSON_MAP = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def to_json(value: Any) -> str:
    return orjson.dumps(value).decode()
