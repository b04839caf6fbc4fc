"""Reads what a stream is asked for; a value of another kind than agreed is an error that names the field."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from spunto.core.kernel.errors import Invalid


class Params:
    """The parameters of one stream. Every method raises Invalid `bad_stream_params`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        return _text(name, self._values.get(name))

    def optional_text(self, name: str) -> str | None:
        value = self._values.get(name)
        return None if value is None else _text(name, value)

    def optional_number(self, name: str) -> int | None:
        value = self._values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise _bad(name)
        return value

    def number(self, name: str, *, default: int, lowest: int, highest: int) -> int:
        """A whole number, brought into its bounds."""
        value = self.optional_number(name)
        return default if value is None else max(lowest, min(highest, value))

    def optional_seconds(self, name: str) -> float | None:
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e7:
            raise _bad(name)
        return float(value)

    def flag(self, name: str) -> bool:
        return self._values.get(name) is True

    def texts(self, name: str) -> list[str]:
        value = self._values.get(name)
        if not isinstance(value, list) or not value:
            raise _bad(name)
        return [_text(name, each) for each in value]

    def mapping(self, name: str) -> dict[str, str]:
        value = self._values.get(name) or {}
        if not isinstance(value, dict):
            raise _bad(name)
        return {key: _text(name, each) for key, each in value.items()}

    def optional_instant(self, name: str) -> datetime | None:
        text = self.optional_text(name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise _bad(name) from error
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise _bad(name)
    return value


def _bad(name: str) -> Invalid:
    return Invalid("bad_stream_params", f"The stream's {name!r} is missing or not of the right kind.", field=name)
