"""Bodies by how they end: what of the bytes that come belongs to one, and how it is written anew."""

from collections.abc import Sequence
from typing import Protocol


class BodyReader(Protocol):
    is_over: bool
    trailers: list[tuple[bytes, bytes]]

    def take(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        """The content in these bytes, and what came behind its end. Raises MalformedMessage."""


class SizedBody:
    """Of a length that was told before, also none."""

    def __init__(self, length: int) -> None:
        self.is_over = length == 0
        self.trailers: list[tuple[bytes, bytes]] = []
        self._left = length

    def take(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        if len(data) < self._left:
            self._left -= len(data)
            return (data,), b""
        content, rest = data[: self._left], data[self._left :]
        self._left = 0
        self.is_over = True
        return (content,) if content else (), rest


class EndlessBody:
    """Goes on until the connection ends."""

    def __init__(self) -> None:
        self.is_over = False
        self.trailers: list[tuple[bytes, bytes]] = []

    def take(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        return (data,), b""
