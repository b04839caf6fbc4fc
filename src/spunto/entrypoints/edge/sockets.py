"""Connections to whoever listens on this machine or in its network, by Unix socket, TCP or TLS."""

import asyncio
import ssl
from collections.abc import Awaitable
from pathlib import Path
from typing import Final, cast

from spunto.adapters.last_words import LastWords
from spunto.core.kernel.errors import Unavailable
from spunto.entrypoints.edge.seams import Target

_HELD_BYTES: Final = 64 * 1024
_UNSENT_HIGH: Final = 256 * 1024
_UNSENT_LOW: Final = 64 * 1024
CONNECT_SECONDS: Final = 5.0


class SocketBroke(Unavailable):
    def __init__(self) -> None:
        super().__init__("connection_broke", "The connection to what answers there was lost.")


class SocketUpstream(asyncio.Protocol):
    """An Upstream."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._size = 0
        self._has_ended = False
        self._is_lost = False
        self._last_words: LastWords | None = None
        self._is_full = False
        self._is_held = False
        self._arrival: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # What uvloop makes is one, and no subclass.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_UNSENT_HIGH, low=_UNSENT_LOW)

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= _HELD_BYTES and not self._is_held:
            self._is_held = True
            self._transport.pause_reading()
        _wake(self._arrival)

    def eof_received(self) -> bool:
        """TLS has no half-closed connections."""
        self._has_ended = True
        _wake(self._arrival)
        return self._transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        self._is_lost = True
        is_plain = self._transport.get_extra_info("sslcontext") is None
        if error is not None and is_plain and not self._has_ended:
            self._last_words = LastWords(self._transport, error)
        _wake(self._arrival)
        _wake(self._room)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        _wake(self._room)

    def is_quiet(self) -> bool:
        return not (self._pieces or self._has_ended or self._is_lost)

    async def read(self) -> bytes | None:
        while not self._pieces:
            if self._last_words is not None:
                if data := self._last_words.read():
                    return data
                self._has_ended = self._last_words.was_end
                self._last_words = None
            if self._has_ended:
                return None
            if self._is_lost:
                raise SocketBroke
            self._arrival = self._loop.create_future()
            await self._arrival
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._is_held and not self._is_lost:
            self._is_held = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        if self._is_lost:
            raise SocketBroke
        self._transport.write(data)
        while self._is_full:
            self._room = self._loop.create_future()
            await self._room
            if self._is_lost:
                raise SocketBroke

    async def write_eof(self) -> None:
        if self._is_lost:
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def reset(self, code: str, message: str = "") -> None:
        self._forget_last_words()
        self._transport.abort()

    async def aclose(self) -> None:
        self._forget_last_words()
        self._transport.close()

    def _forget_last_words(self) -> None:
        if self._last_words is not None:
            self._last_words.close()
            self._last_words = None


def unix_target(path: Path, *, kept_seconds: float = 4.0) -> Target:
    loop = asyncio.get_running_loop()

    async def connect() -> SocketUpstream:
        return await _connected(loop.create_unix_connection(SocketUpstream, str(path)))

    return Target(key=path, connect=connect, kept_seconds=kept_seconds)


def tcp_target(host: str, port: int, *, tls: ssl.SSLContext | None = None, kept_seconds: float = 4.0) -> Target:
    loop = asyncio.get_running_loop()

    async def connect() -> SocketUpstream:
        return await _connected(loop.create_connection(SocketUpstream, host, port, ssl=tls))

    return Target(key=(host, port, tls), connect=connect, kept_seconds=kept_seconds)


async def _connected(connecting: Awaitable[tuple[asyncio.Transport, SocketUpstream]]) -> SocketUpstream:
    """Raises Unavailable."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, upstream = await connecting
    except ConnectionRefusedError as error:
        raise Unavailable("connection_refused", "Nothing listens there.") from error
    except (OSError, TimeoutError) as error:
        raise Unavailable("not_reached", "What should answer there can't be reached.") from error
    return upstream


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
