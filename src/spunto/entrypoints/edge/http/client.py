"""The client's end of a connection: bytes in and out, bounded in size and in time."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final, cast

from spunto.entrypoints.edge.http.requests import MAX_HEAD_BYTES, NOT_HTTP, TOO_LARGE, TOO_SLOW
from spunto.entrypoints.edge.http.times import Times
from spunto.entrypoints.serving.heads import Fault
from spunto.entrypoints.serving.peers import UNKNOWN, counted_peer

# What is held of a client that sends faster than is taken; one more read of the loop may come on top.
_HELD_BYTES: Final = 64 * 1024
_UNSENT_HIGH: Final = 128 * 1024
_UNSENT_LOW: Final = 32 * 1024
_UNWANTED_BYTES: Final = 64 * 1024 * 1024
_RESETS: Final = struct.pack("ii", 1, 0)


class Client(asyncio.Protocol):
    """One task converses with it; whoever made it ends that task when the client has gone."""

    transport: asyncio.Transport

    def __init__(self, opened: Callable[["Client"], None], closed: Callable[["Client"], None], times: Times) -> None:
        self._opened = opened
        self._closed = closed
        self._times = times
        self._loop = asyncio.get_running_loop()
        self.peer = UNKNOWN
        self.is_tls = False
        self.has_ended = False
        """Whether it sends no more."""
        self.is_served = False
        """Whether a request of it is being answered."""
        self.is_raw = False
        """Whether its bytes are no HTTP any more; then it may go on listening for long after its last word."""
        self._received = b""
        self._is_held = False
        self._arrival: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._is_full = False
        self._due: float | None = None
        self._is_late = False
        self.moves = 0
        """How often bytes went either way."""
        self._seen_moves = 0
        self._quiet_since: float | None = None
        self._unsent = 0
        self._stuck_since: float | None = None

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # What uvloop makes is one, and no subclass.
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=_UNSENT_HIGH, low=_UNSENT_LOW)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer = peer[0]
        self.is_tls = transport.get_extra_info("sslcontext") is not None
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        self.moves += 1
        self._received = self._received + data if self._received else data
        if len(self._received) >= _HELD_BYTES and not self._is_held:
            self._is_held = True
            self.transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool:
        self.has_ended = True
        self._wake_reader()
        # It may have said all that it had to say, and wait. TLS has no such half.
        return not self.is_tls

    def connection_lost(self, error: Exception | None) -> None:
        self.has_ended = True
        self._closed(self)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    # As one of the crowd

    @property
    def address(self) -> str:
        return counted_peer(self.peer)

    @property
    def awaits_client(self) -> bool:
        return not self.is_served

    def leave(self) -> None:
        if self.transport.get_write_buffer_size():
            self.cut()
        else:
            self.transport.abort()

    # Reading

    async def head(self, *, is_first: bool) -> bytes | Fault | None:
        """The next request's head with the empty line behind it. None where nothing or not all of it came."""
        times = self._times
        due = self._loop.time() + (times.head if is_first else times.idle)
        has_begun = is_first
        while (end := self._received.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)) < 0:
            if len(self._received) >= MAX_HEAD_BYTES:
                return TOO_LARGE
            if self._received and not self._received[:1].isalpha():
                return NOT_HTTP
            if self.has_ended:
                return None
            if self._received and not has_begun:
                has_begun, due = True, self._loop.time() + times.head
            try:
                await self._arrive(due)
            except TimeoutError:
                return TOO_SLOW if self._received else None
        return self._taken(end + 4)

    async def more(self) -> bytes:
        """What came, b"" at the end. Raises TimeoutError for a client that sends nothing for too long."""
        while not self._received and not self.has_ended:
            await self._arrive(self._loop.time() + self._times.stalled)
        return self.held()

    async def next_raw(self) -> bytes:
        """What came, b"" at the end; it may take as long as it likes."""
        while not self._received and not self.has_ended:
            await self._arrive(float("inf"))
        return self.held()

    def held(self) -> bytes:
        """What came already."""
        return self._taken(len(self._received))

    @property
    def unread(self) -> bytes:
        """What came and was not taken."""
        return self._received

    @property
    def held_bytes(self) -> int:
        return len(self._received)

    def give_back(self, data: bytes) -> None:
        """What belongs to the next request."""
        self._received = data + self._received

    def _taken(self, size: int) -> bytes:
        data, self._received = self._received[:size], self._received[size:]
        if self._is_held and len(self._received) < _HELD_BYTES:
            self._is_held = False
            self.transport.resume_reading()
        return data

    async def _arrive(self, due: float) -> None:
        """Raises TimeoutError."""
        self._due = due
        self._arrival = self._loop.create_future()
        try:
            await self._arrival
        finally:
            self._arrival = self._due = None
        if self._is_late:
            self._is_late = False
            raise TimeoutError

    def _wake_reader(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    # Writing

    def write(self, data: bytes) -> None:
        self.moves += 1
        self.transport.write(data)

    async def drained(self) -> None:
        """Wait while it takes less than it is sent."""
        while self._is_full:
            self._room = self._loop.create_future()
            await self._room

    def write_eof(self) -> None:
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()

    async def gone(self) -> None:
        """Wait until all is out, or nobody takes it; whoever made this cancels the task then."""
        await self._loop.create_future()

    async def linger(self) -> None:
        """Say that nothing more comes, and throw away what still does: without that the system would take back
        what was said last."""
        self.write_eof()
        due = self._loop.time() + self._times.leaving
        left = _UNWANTED_BYTES
        try:
            while left > 0 and not self.has_ended:
                left -= len(self.held())
                await self._arrive(due)
        except TimeoutError:
            pass
        self.close()

    def close(self) -> None:
        """End when all is out."""
        self.transport.close()

    def cut(self) -> None:
        """End so that the client can't take it for a clean end, whatever framing it was told."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
        self.transport.abort()

    # Time

    def tick(self, now: float) -> None:
        if self._due is not None and now >= self._due:
            self._is_late = True
            self._wake_reader()
        if self._has_left(now) or self._is_stuck(now):
            self.cut()

    def _has_left(self, now: float) -> bool:
        """Whether it said its last word, and nothing has moved for a while: likely it is not there any more."""
        if not (self.has_ended and self.is_served) or self.moves != self._seen_moves:
            self._seen_moves = self.moves
            self._quiet_since = now
            return False
        if self._quiet_since is None:
            self._quiet_since = now
        return now - self._quiet_since >= (self._times.stalled if self.is_raw else self._times.leaving)

    def _is_stuck(self, now: float) -> bool:
        """Whether it has long taken nothing of what is written."""
        before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        if not self._unsent or self._unsent < before or self._stuck_since is None:
            self._stuck_since = now
        return now - self._stuck_since >= self._times.stalled
