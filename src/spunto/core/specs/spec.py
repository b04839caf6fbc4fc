"""What every kind's spec has in common, and how one is read: whole or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a subject takes of its node."""

    cpu_millis: int
    memory_bytes: int
    pids: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsWanted:
    """Secrets that a subject of that owner must not be made without; their values are never part of a spec."""

    owner_id: str
    names: tuple[str, ...]


class Spec(Protocol):
    """A subject as its node needs to know it."""

    @property
    def requires(self) -> tuple[str, ...]:
        """The abilities that a node must have announced to be given it."""

    @property
    def size(self) -> Size | None:
        """None where it takes nothing that the node's owner limits."""

    @property
    def secrets_wanted(self) -> SecretsWanted | None: ...


class SpecUnknown(ValueError):
    """A field or a value that this side does not know: the other side is newer, and means more than is read here."""


class Fields:
    """Reads a spec's fields one by one. Every method raises SpecUnknown, and `end` does for a field nobody read."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._read: set[str] = set()

    def text(self, name: str) -> str:
        return self._of_type(name, str, self._take(name))

    def optional_text(self, name: str) -> str | None:
        value = self._take(name, None)
        return None if value is None else self._of_type(name, str, value)

    def number(self, name: str) -> int:
        value = self._take(name)
        if isinstance(value, bool):
            raise _unknown(name)
        return self._of_type(name, int, value)

    def optional_number(self, name: str) -> int | None:
        value = self._take(name, None)
        if isinstance(value, bool):
            raise _unknown(name)
        return None if value is None else self._of_type(name, int, value)

    def choice(self, name: str, among: type[E]) -> E:
        try:
            return among(self.text(name))
        except ValueError as error:
            raise _unknown(name) from error

    def texts(self, name: str) -> tuple[str, ...]:
        """Empty where the field is missing."""
        values = self._of_type(name, list, self._take(name, []))
        return tuple(self._of_type(name, str, each) for each in values)

    def text_map(self, name: str) -> dict[str, str]:
        values = self._of_type(name, dict, self._take(name, {}))
        return {key: self._of_type(name, str, each) for key, each in values.items()}

    def end(self) -> None:
        unread = sorted(self._body.keys() - self._read)
        if unread:
            raise SpecUnknown(f"field {unread[0][:64]!r}")

    def _take(self, name: str, *default: object) -> object:
        self._read.add(name)
        if name in self._body:
            return self._body[name]
        if default:
            return default[0]
        raise SpecUnknown(f"no field {name!r}")

    def _of_type(self, name: str, wanted: type[T], value: object) -> T:
        if not isinstance(value, wanted):
            raise _unknown(name)
        return value


def _unknown(name: str) -> SpecUnknown:
    return SpecUnknown(f"value of {name!r}")
