"""The server's connections: Hypercorn's, but bounded in number, in time, and in what they may write to the log."""

import asyncio
import socket
import time
from contextlib import suppress
from typing import Any, Final

import structlog
from hypercorn.asyncio import run, tcp_server
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol import ProtocolWrapper

from spunto.entrypoints.serving.crowd import Crowd
from spunto.entrypoints.serving.idle import Context, IdleTimer
from spunto.entrypoints.serving.logs import Seldom
from spunto.entrypoints.serving.peers import UNKNOWN, counted_peer
from spunto.entrypoints.serving.talk import Talk
from spunto.entrypoints.serving.unix_sockets import is_of_owner

# Long enough for an answer to reach whoever is still sending; without it the system would take the answer back.
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 4 * 1024 * 1024
# How long a client may take nothing at all of an answer.
STALLED_SECONDS: Final = 30.0
# How long a server that stops waits for the first request of who was let in, and for one more of who has had answers:
# what is on its way would be lost otherwise. HTTP lets a client repeat the latter by itself, but not the former.
FIRST_REQUEST_SECONDS: Final = 1.0
NEXT_REQUEST_SECONDS: Final = 0.1
# As much waits here for the end of the event loop's turn, and as much in the transport without making anybody wait.
CORKED_BYTES: Final = 16 * 1024

log = structlog.get_logger()


class DoorConfig(Config):
    """Hypercorn's settings, and who is in."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__()
        self.crowd = crowd
        self.seldom = Seldom(monotonic=asyncio.get_running_loop().time)
        self._dated = (0, super().response_headers("h11"))

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:
        """As Hypercorn's, made once a second."""
        now = int(time.time())
        if self._dated[0] != now:
            self._dated = (now, super().response_headers(protocol))
        return self._dated[1]


class Connection(TCPServer):
    """Of a listener with a DoorConfig."""

    config: DoorConfig
    protocol: Any
    _lingering: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._corked = bytearray()
        if isinstance(self.context, Context):
            timer: Any = IdleTimer(self, self.context.terminated)
            self.idle_task = timer

    @property
    def address(self) -> str:
        peer = self.writer.get_extra_info("peername")
        return counted_peer(peer[0]) if isinstance(peer, tuple) else UNKNOWN

    @property
    def awaits_client(self) -> bool:
        protocol = getattr(self, "protocol", None)
        return protocol is None or bool(protocol.awaits_client)

    def leave(self) -> None:
        self.writer.transport.abort()

    @property
    def idle_seconds(self) -> float:
        return self.config.keep_alive_timeout

    @property
    def grace_seconds(self) -> float:
        return FIRST_REQUEST_SECONDS if self.protocol.was_begun else NEXT_REQUEST_SECONDS

    async def end(self) -> None:
        await self._initiate_server_close()

    def _is_welcome(self) -> bool:
        connected = self.writer.get_extra_info("socket")
        return connected.family != socket.AF_UNIX or is_of_owner(connected)

    async def run(self) -> None:
        with self.config.crowd.entered(self) as is_in:
            if not is_in or not self._is_welcome():
                self.leave()
                return
            try:
                await super().run()
            except Exception as error:  # the edge of a connection, which ends; asyncio would write each trace out
                left_out = self.config.seldom.left_out("connection_failed")
                if left_out is not None:
                    log.error("connection_failed", exc_info=error, lines_left_out=left_out)
            finally:
                if self._lingering is not None:
                    self._lingering.cancel()

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            await self._write(event.data)
            return
        if isinstance(event, Closed):
            self._uncork()
            await self.protocol.end()
            if self.protocol.has_more_to_read:
                await self._linger()
                return
        await super().protocol_send(event)

    async def _write(self, data: bytes) -> None:
        """What is written in one turn of the event loop goes out by one call to the system."""
        corked = self._corked
        if not corked:
            self.loop.call_soon(self._uncork)
        corked += data
        if len(corked) <= CORKED_BYTES and self.writer.transport.get_write_buffer_size() <= CORKED_BYTES:
            return
        async with self.send_lock:
            try:
                self._uncork()
                await self._drained()
            except (ConnectionError, RuntimeError):
                await self.protocol.handle(Closed())

    def _uncork(self) -> None:
        # Whoever reads from the connection tells when it is lost.
        if self._corked:
            with suppress(ConnectionError, RuntimeError):
                self.writer.write(self._corked)
            self._corked = bytearray()

    async def _drained(self) -> None:
        """Raises ConnectionAbortedError for a client that takes nothing any more."""
        transport = self.writer.transport
        waiting = transport.get_write_buffer_size()
        while waiting:
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    return await self.writer.drain()
            except TimeoutError:
                before, waiting = waiting, transport.get_write_buffer_size()
                if waiting >= before:
                    transport.abort()
                    raise ConnectionAbortedError from None
        return await self.writer.drain()

    async def _linger(self) -> None:
        """Say that nothing more comes, and let the client notice: what it still sends is read, and thrown away."""
        if self._lingering is not None:
            return
        await self.idle_task.stop()
        self._lingering = self.loop.call_later(LINGER_SECONDS, self.leave)
        if not self.writer.is_closing() and self.writer.can_write_eof():
            self.writer.write_eof()

    async def _read_data(self) -> None:
        left = LINGER_BYTES
        while not self.reader.at_eof():
            try:
                data = await self.reader.read(MAX_RECV)
            except OSError:
                break
            if self._lingering is None:
                await self.protocol.handle(RawData(data))
                continue
            left -= len(data)
            if left < 0:
                break
        # Hypercorn would keep the connection of a client that has left until its idle time is over.
        await self.idle_task.stop()
        await self.protocol.handle(Closed())


def _connection(app: Any, loop: Any, config: Config, *args: Any) -> TCPServer:
    """Ours for our listeners; a program around Spunto may have others, with settings of its own."""
    return (Connection if isinstance(config, DoorConfig) else TCPServer)(app, loop, config, *args)


def _protocol(app: Any, config: Config, *args: Any) -> Any:
    if not isinstance(config, DoorConfig):
        return ProtocolWrapper(app, config, *args)
    # The last is what TLS agreed on, and HTTP/2 is spoken to nobody.
    return Talk(app, config, *args[:7])


def install() -> None:
    """Have Hypercorn make these. Repeating is harmless."""
    # There is no setting for any of them.
    vars(run)["WorkerContext"] = Context
    vars(run)["TCPServer"] = _connection
    vars(tcp_server)["ProtocolWrapper"] = _protocol
