"""Reads what edge and server say to each other, field by field. Everything raises Malformed `bad_question`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol, Self, TypeVar

import orjson

from spunto.core.kernel.errors import Malformed
from spunto.core.kernel.secret import Secret

MAX_ITEMS: Final = 256
MAX_BYTES: Final = 256 * 1024
MAX_TEXT: Final = 4096

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Said(Protocol):
    def to_json(self) -> dict[str, Any]: ...

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self: ...


S = TypeVar("S", bound=Said)


def write(said: Said) -> bytes:
    return orjson.dumps(said.to_json())


def read(wanted: type[S], raw: bytes) -> S:
    if len(raw) > MAX_BYTES:
        raise Malformed("bad_question", f"More than {MAX_BYTES} bytes are too many.")
    try:
        body = orjson.loads(raw)
    except ValueError as error:
        raise Malformed("bad_question", "Only a JSON object is understood.") from error
    if not isinstance(body, dict):
        raise Malformed("bad_question", "Only a JSON object is understood.")
    return wanted.from_json(body)


def text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or "\0" in value:
        raise bad(name)
    return value


def optional_text(body: Mapping[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else text(body, name)


def secret(body: Mapping[str, Any], name: str) -> Secret | None:
    value = optional_text(body, name)
    return None if value is None else Secret(value)


def flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool):
        raise bad(name)
    return value


def number(body: Mapping[str, Any], name: str, *, lowest: int, highest: int) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise bad(name)
    return value


def port(body: Mapping[str, Any]) -> int:
    return number(body, "port", lowest=1, highest=65_535)


def port_named(name: str) -> int:
    """A port where JSON has room for a name only."""
    if not name.isascii() or not name.isdecimal() or name.startswith("0") or len(name) > 5:
        raise bad("port")
    return port({"port": int(name)})


def choice(body: Mapping[str, Any], name: str, among: type[E]) -> E:
    try:
        return among(text(body, name))
    except ValueError as error:
        raise bad(name) from error


def instant(body: Mapping[str, Any], name: str) -> datetime | None:
    value = optional_text(body, name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise bad(name) from error
    if moment.tzinfo is None:
        raise bad(name)
    return moment


def mapping(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise bad(name)
    return value


def items(body: Mapping[str, Any], read_one: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    values = body.get("items")
    if not isinstance(values, list) or len(values) > MAX_ITEMS or not all(isinstance(each, dict) for each in values):
        raise bad("items")
    return tuple(map(read_one, values))


def bad(name: str) -> Malformed:
    return Malformed("bad_question", f"The field {name!r} is missing or not of the right kind.", field=name)
