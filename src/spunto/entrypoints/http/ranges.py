"""The part of a content that a request asks for (RFC 9110, 14)."""

import re
from dataclasses import dataclass
from typing import Final

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestedRangeNotSatisfiable

_RANGE: Final = re.compile(r"bytes=\s*([0-9]{0,19})-([0-9]{0,19})\s*\Z", re.ASCII | re.IGNORECASE)
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`offset` is counted from the end where it is negative; `only_of` is the version that it is a part of."""

    offset: int
    length: int | None
    only_of: str | None


class RangeNotSatisfiable(RequestedRangeNotSatisfiable):
    def __init__(self, size: int) -> None:
        super().__init__(length=size)


def asked_part(headers: Headers) -> Part | None:
    """None for the whole: also where several parts are asked for, or what nobody understands, as the RFC has it."""
    found = _RANGE.match(headers.get("Range", ""))
    if found is None:
        return None
    first, last = found[1], found[2]
    condition = headers.get("If-Range")
    only_of = None if condition is None else _strong(condition)
    if not first:
        if not last:
            return None
        count = int(last)
        # The last nothing of a content can't be had.
        return Part(offset=-count if count else _LARGEST, length=None, only_of=only_of)
    if not last:
        return Part(offset=min(int(first), _LARGEST), length=None, only_of=only_of)
    if int(last) < int(first):
        return None
    return Part(offset=min(int(first), _LARGEST), length=int(last) - int(first) + 1, only_of=only_of)


def _strong(tag: str) -> str:
    """A weak tag or a date fits nothing, so that the whole is answered."""
    return tag[1:-1] if len(tag) > 2 and tag[0] == tag[-1] == '"' else "none"
