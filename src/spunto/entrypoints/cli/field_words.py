"""What the server says of fields of a request, in the words of the options that they came from."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from spunto.client.errors import FieldError
from spunto.core.kernel.sizes import size_text
from spunto.entrypoints.cli.rendering import span

_OPTIONS: Final[Mapping[str, str]] = {
    "seconds": "for",
    "expiresInSeconds": "for",
    "expiresAt": "expires",
    "grantSecrets": "secrets",
    "withoutSecrets": "secrets",
    "eventTypes": "event",
    "tags": "tag",
    "labels": "label",
    "scopes": "scope",
    "sharing": "share",
}
"""Where the option is not called as the field."""
_UNITS: Final[Mapping[str, Callable[[int], str]]] = {"seconds": span, "bytes": size_text}
_BOUND: Final = re.compile(
    r"Input should be (greater than or equal to|less than or equal to|greater than|less than) (\S+)"
)
_BOUND_WORDS: Final[Mapping[str, str]] = {
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "more than",
    "less than": "less than",
}


def field_words(fault: FieldError) -> str:
    """Such as `idle-timeout: at least 1m`."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in fault.pointer.split("/")[1:]]
    if not parts:
        return fault.message.rstrip(".")
    field, within = parts[0], [part for part in parts[1:] if not part.isdecimal()]
    return f"{' '.join([_option(field), *within])}: {_sentence(fault.message, field).rstrip('.')}"


def _option(field: str) -> str:
    if field in _OPTIONS:
        return _OPTIONS[field]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", field).lower().split("-")
    return "-".join(words[:-1] if len(words) > 1 and words[-1] in (*_UNITS, "id") else words)


def _sentence(message: str, field: str) -> str:
    """A bound in the unit that options take; everything else as the server says it."""
    bound = _BOUND.match(message)
    if bound is None:
        return message.replace("Input should be", "should be")
    unit = next((text for name, text in _UNITS.items() if field.lower().endswith(name)), None)
    limit = unit(int(bound[2])) if unit is not None and bound[2].isdecimal() else bound[2]
    return f"{_BOUND_WORDS[bound[1]]} {limit}"
