"""What the other side of a connection said before it broke off, and the loop had not read when writing failed."""

import os
import socket
from asyncio import Transport
from typing import Final

_PIECE_BYTES: Final = 64 * 1024


class LastWords:
    """Made in `connection_lost`, before the transport closes its socket, and not for TLS. Read it, or close it.

    Programs that answer early leave unread what is still sent to them, so that the system resets the connection behind
    the answer. Linux keeps what had come by then; loops that fail to write do not look.
    """

    def __init__(self, transport: Transport, error: Exception) -> None:
        # Of its own: the loop's is closed at once.
        self._socket: socket.socket | None = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        self.was_end = False
        """Whether the other side had ended, and not broken off; known when nothing is left."""
        # The one says that the other side's end had come before the reset, the other that it had not.
        self._had_ended = isinstance(error, BrokenPipeError)

    def read(self) -> bytes:
        """The next bytes; b"" when nothing is left."""
        if self._socket is None:
            return b""
        try:
            data = self._socket.recv(_PIECE_BYTES, socket.MSG_DONTWAIT)
            self.was_end = not data and self._had_ended
        except OSError:
            data = b""
        if not data:
            self.close()
        return data

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
