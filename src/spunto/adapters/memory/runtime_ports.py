"""Ports of containers of the fake engine: a handler for each connection, over bounded bytes in memory."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from spunto.core.executor.listening_port import ListeningPort
from spunto.core.executor.port_connection import PortBroken, PortConnection, PortRefused

MAX_UNREAD_BYTES = 256 * 1024

PortHandler = Callable[[PortConnection], Awaitable[None]]
"""Serves one connection, which is closed when it returns; what it raises breaks the connection off."""


class _Lane:
    """One direction. Whoever writes more than the bound waits for the reader."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._bytes = 0
        self._has_ended = False
        self._is_broken = False
        self._changed = asyncio.Event()

    async def put(self, data: bytes) -> None:
        while self._bytes >= MAX_UNREAD_BYTES and not self._is_broken:
            await self._change()
        if self._is_broken or self._has_ended:
            raise PortBroken
        self._pieces.append(data)
        self._bytes += len(data)
        self._changed.set()

    async def get(self) -> bytes | None:
        while not self._pieces:
            if self._is_broken:
                raise PortBroken
            if self._has_ended:
                return None
            await self._change()
        self._changed.set()
        data = self._pieces.popleft()
        self._bytes -= len(data)
        return data

    def end(self) -> None:
        self._has_ended = True
        self._changed.set()

    def break_off(self) -> None:
        self._is_broken = True
        self._changed.set()

    def drop(self) -> None:
        self._pieces.clear()
        self.break_off()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class FakePortConnection:
    """One end of a connection."""

    def __init__(self, outgoing: _Lane, incoming: _Lane) -> None:
        self._outgoing = outgoing
        self._incoming = incoming

    async def read(self) -> bytes | None:
        return await self._incoming.get()

    async def write(self, data: bytes) -> None:
        if data:
            await self._outgoing.put(data)

    async def write_eof(self) -> None:
        self._outgoing.end()

    def abort(self) -> None:
        self._outgoing.break_off()
        self._incoming.drop()

    async def aclose(self) -> None:
        self._outgoing.end()


class FakePorts:
    """The ports of one container, and the connections to them."""

    def __init__(self) -> None:
        self._handlers: dict[int, PortHandler] = {}
        self._listening: dict[int, ListeningPort] = {}
        self._served: set[asyncio.Task[None]] = set()

    def listen(self, listening: ListeningPort, handler: PortHandler) -> None:
        self._handlers[listening.port] = handler
        self._listening[listening.port] = listening

    def listening(self) -> list[ListeningPort]:
        return [self._listening[port] for port in sorted(self._listening)]

    def connect(self, port: int) -> FakePortConnection:
        """Raises PortRefused."""
        handler = self._handlers.get(port)
        if handler is None:
            raise PortRefused(port)
        there, back = _Lane(), _Lane()
        serving = asyncio.create_task(_serve(handler, FakePortConnection(back, there)), name=f"fake-port-{port}")
        self._served.add(serving)
        serving.add_done_callback(self._served.discard)
        return FakePortConnection(there, back)

    def end(self) -> None:
        """The container ends: nobody listens any more, and what is connected breaks off."""
        self._handlers.clear()
        self._listening.clear()
        for serving in self._served:
            serving.cancel()


async def _serve(handler: PortHandler, connection: FakePortConnection) -> None:
    try:
        await handler(connection)
    except PortBroken:
        return
    except BaseException:
        connection.abort()
        raise
    await connection.aclose()
