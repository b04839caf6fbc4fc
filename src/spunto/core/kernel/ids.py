"""Identifiers `<prefix>_<26 characters>`: lower-case Crockford base32 of a time-ordered 128-bit value."""

import re
import secrets
from typing import Protocol

from spunto.core.kernel.clock import Clock

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# 26 characters hold 130 bits; the first one is at most 7, so that the value fits 128.
_SHAPE = re.compile(r"[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}\Z")
_RANDOM_BITS = 80


class Ids(Protocol):
    def new(self, prefix: str) -> str:
        """A fresh id. Ids made later sort behind those made earlier, down to the millisecond."""


class TimeOrderedIds:
    """Ids from a clock and random bits; within one millisecond they count upwards, so their order is that of making."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def new(self, prefix: str) -> str:
        millis = int(self._clock.now().timestamp() * 1000)
        fresh = millis << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS - 1)
        self._last = fresh if fresh > self._last else self._last + 1
        return f"{prefix}_{encode(self._last)}"


def encode(value: int) -> str:
    """The 26 characters of a 128-bit value."""
    return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def is_id(text: str, prefix: str) -> bool:
    return text.startswith(f"{prefix}_") and _SHAPE.match(text) is not None


def pattern_of(prefix: str) -> str:
    """The regular expression of these ids, as JSON Schema writes it."""
    return rf"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"


def bare(subject_id: str) -> str:
    """The 26 characters without the prefix, as host and engine names use them."""
    return subject_id.partition("_")[2]
