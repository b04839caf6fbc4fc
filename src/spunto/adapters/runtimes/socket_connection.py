"""`PortConnection` on a connected socket: asyncio's transport with bounded buffers both ways."""

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from typing import cast

from spunto.adapters.last_words import LastWords
from spunto.core.executor.port_connection import PortBroken

MAX_UNREAD_BYTES = 256 * 1024
# Loops fill it and say so at once, so that one serves all connections; it is as large as a frame's payload.
_SHARED = memoryview(bytearray(64 * 1024))
_LINGER_NOT = struct.pack("ii", 1, 0)


class SocketConnection(asyncio.BufferedProtocol):
    """Bytes that nobody has read yet stop the reading, and what the program does not take stops the writing."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._unread: deque[bytes] = deque()
        self._unread_bytes = 0
        self._is_paused = False
        self._has_ended = False
        self._error: PortBroken | None = None
        self._last_words: LastWords | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._is_full = False

    @classmethod
    async def on(cls, connected: socket.socket) -> "SocketConnection":
        """Takes the socket over."""
        try:
            _, connection = await asyncio.get_running_loop().create_connection(cls, sock=connected)
        except BaseException:
            connected.close()
            raise
        return connection

    async def read(self) -> bytes | None:
        while not self._unread:
            if self._last_words is not None:
                if data := self._last_words.read():
                    return data
                self._has_ended = self._last_words.was_end
                self._last_words = None
            if self._has_ended:
                return None
            if self._error is not None:
                raise self._error
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        data = self._unread.popleft()
        self._unread_bytes -= len(data)
        if self._is_paused and self._error is None and self._unread_bytes < MAX_UNREAD_BYTES // 2:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        self._require_open()
        self._transport.write(data)
        if self._is_full:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer
            self._require_open()

    async def write_eof(self) -> None:
        if not self._transport.is_closing():
            self._transport.write_eof()

    def abort(self) -> None:
        self._forget_last_words()
        if self._transport.is_closing():
            return
        taken = self._transport.get_extra_info("socket")
        with suppress(OSError):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self._transport.abort()

    async def aclose(self) -> None:
        self._forget_last_words()
        self._transport.close()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, size_hint: int) -> memoryview:
        return _SHARED

    def buffer_updated(self, size: int) -> None:
        self._unread.append(bytes(_SHARED[:size]))
        self._unread_bytes += size
        if self._unread_bytes >= MAX_UNREAD_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool:
        self._has_ended = True
        self._wake_reader()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None or not self._has_ended:
            self._error = PortBroken()
        if error is not None and not self._has_ended:
            self._last_words = LastWords(self._transport, error)
        self._wake_reader()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        writer, self._writer = self._writer, None
        if writer is not None and not writer.done():
            writer.set_result(None)

    def _forget_last_words(self) -> None:
        if self._last_words is not None:
            self._last_words.close()
            self._last_words = None

    def _wake_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    def _require_open(self) -> None:
        if self._error is not None:
            raise self._error
        if self._transport.is_closing():
            raise PortBroken
