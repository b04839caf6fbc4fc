"""A stream's queue in one direction: bytes and words in order, where small pieces of bytes grow together."""

from collections import deque
from typing import Generic, TypeVar

from spunto.core.protocol.codec import MAX_PAYLOAD_BYTES

Word = TypeVar("Word")


class StreamBuffer(Generic[Word]):
    """Memory stays near the number of bytes held, however small the pieces in which they came."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: deque[bytes | bytearray | Word] = deque()

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add_bytes(self, data: bytes) -> None:
        last = self._pieces[-1] if self._pieces else None
        if not isinstance(last, bytes | bytearray) or len(last) + len(data) > MAX_PAYLOAD_BYTES:
            self._pieces.append(data)
        elif isinstance(last, bytearray):
            last += data
        else:
            self._pieces[-1] = bytearray(last) + data

    def add_word(self, word: Word) -> None:
        self._pieces.append(word)

    def pop(self) -> bytes | Word:
        """The oldest piece. Raises IndexError when empty."""
        piece = self._pieces.popleft()
        return bytes(piece) if isinstance(piece, bytearray) else piece

    def clear(self) -> None:
        self._pieces.clear()
