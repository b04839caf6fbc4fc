"""What agent and helper say to one another over a socket: frames of a letter, a length and as many bytes.

A body ends by a frame of its own: where the socket ends without one, the other side has gone in the middle of it.
"""

import json
import os
import struct
from collections.abc import Iterator
from typing import Any

WORD, DATA, END = b"J", b"D", b"E"
MAX_DATA_BYTES = 256 * 1024
MAX_WORD_BYTES = 8 * 1024 * 1024
HEAD = struct.Struct(">cI")


class GoneError(Exception):
    """The other side has gone."""


def word(body: dict[str, Any]) -> bytes:
    """A frame that says something."""
    text = json.dumps(body).encode()
    return HEAD.pack(WORD, len(text)) + text


def data_head(size: int) -> bytes:
    return HEAD.pack(DATA, size)


END_FRAME = HEAD.pack(END, 0)


class Line:
    """The helper's end, which blocks."""

    def __init__(self, socket: int) -> None:
        self._socket = socket

    def say(self, body: dict[str, Any]) -> None:
        self._send(word(body))

    def send(self, data: bytes | memoryview) -> None:
        """At most MAX_DATA_BYTES."""
        self._send(data_head(len(data)))
        self._send(data)

    def say_all(self) -> None:
        """Nothing more comes from here."""
        self._send(END_FRAME)

    def hear_out(self) -> None:
        """Wait until the other side has read what was said: what it still sends would make the kernel forget that."""
        while os.read(self._socket, MAX_DATA_BYTES):
            pass

    def hear(self) -> dict[str, Any]:
        """The next word. Raises GoneError."""
        kind, size = self._head()
        if kind != WORD or size > MAX_WORD_BYTES:
            raise GoneError
        said: dict[str, Any] = json.loads(self._exactly(size))
        return said

    def body(self) -> Iterator[bytes]:
        """The pieces of a body, to its end. Raises GoneError where it never comes."""
        while True:
            kind, size = self._head()
            if kind == END:
                return
            if kind != DATA or size > MAX_DATA_BYTES:
                raise GoneError
            yield self._exactly(size)

    def _head(self) -> tuple[bytes, int]:
        kind, size = HEAD.unpack(self._exactly(HEAD.size))
        return kind, size

    def _exactly(self, size: int) -> bytes:
        piece = self._received(size)
        if len(piece) == size:
            return piece
        pieces = [piece]
        missing = size - len(piece)
        while missing:
            piece = self._received(missing)
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _received(self, size: int) -> bytes:
        try:
            piece = os.read(self._socket, size)
        except OSError as error:
            raise GoneError from error
        if not piece and size:
            raise GoneError
        return piece

    def _send(self, data: bytes | memoryview) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._socket, left) :]
            except OSError as error:
                raise GoneError from error
