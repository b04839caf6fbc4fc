"""A server's end of agents' WebSockets, as small as it can be: it accepts whoever has the token."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from spunto.adapters.websocket import WebSocketTransport
from spunto.core.kernel.clock import SystemClock
from spunto.core.nodes.model import NodeId
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import (
    Desired,
    DesiredItem,
    Hello,
    Inventory,
    Observed,
    ObservedItem,
    Phase,
    StateMessage,
    Welcome,
)
from spunto.core.protocol.stream import Stream
from spunto.core.specs.token import new_token

PATIENCE_SECONDS = 30.0


@dataclass(slots=True)
class SocketServer:
    """Everything that agents said, and the connection that is up now. `refuse_with` closes who comes with this code."""

    node_id: NodeId
    token: str
    host: str
    port: int = 0
    refuse_with: int | None = None
    hellos: list[Hello] = field(default_factory=list)
    observed: list[ObservedItem] = field(default_factory=list)
    inventories: list[Inventory] = field(default_factory=list)
    connection: Connection | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    async def send(self, *items: DesiredItem, whole: bool = False) -> None:
        await self.until_connected()
        assert self.connection is not None
        self.connection.send(Desired(epoch=self.connection.epoch, revision=1, whole=whole, items=items))

    async def until_connected(self, times: int = 1) -> None:
        """By the agent that came as the so-manieth, or a later one; one that was killed may still look connected."""
        await self.until(lambda: self.connection is not None and self.connection.epoch >= times)

    async def until_phase(self, subject_id: str, phase: Phase, generation: int) -> ObservedItem:
        def found() -> list[ObservedItem]:
            newest = [item for item in self.observed if item.id == subject_id][-1:]
            return [item for item in newest if (item.phase, item.generation) == (phase, generation)]

        await self.until(found)
        return found()[0]

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def open(self, kind: str, subject_id: str, **params: Any) -> Stream:
        assert self.connection is not None
        return self.connection.open(kind, {"subjectId": subject_id, **params})

    async def serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        if socket.request.headers.get("Authorization") != f"Bearer {self.token}" or self.refuse_with:
            await socket.close(self.refuse_with or 4401, "refused")
            return
        connection = Connection.server(
            WebSocketTransport(socket), clock=SystemClock(), accept=self._accept, on_message=self._take_in
        )
        running = asyncio.ensure_future(connection.run())
        try:
            await connection.ready()
            self.connection = connection
            self._changed.set()
            await running
        finally:
            if self.connection is connection:
                self.connection = None
            self._changed.set()
            running.cancel()
            await asyncio.wait([running])

    async def _accept(self, hello: Hello, protocol: int) -> Welcome:
        self.hellos.append(hello)
        return Welcome(
            protocol=protocol,
            epoch=len(self.hellos),
            timeline_id="t",
            node_id=self.node_id,
            server_time=datetime.now(UTC),
        )

    async def _take_in(self, _: Connection, message: StateMessage) -> None:
        if isinstance(message, Observed):
            self.observed += message.items
        elif isinstance(message, Inventory):
            self.inventories.append(message)
        self._changed.set()


@asynccontextmanager
async def socket_server(node_id: NodeId, *, host: str = "127.0.0.1") -> AsyncIterator[SocketServer]:
    server = SocketServer(node_id, new_token(node_id).reveal(), host)
    async with serve(server.serve, host, 0, compression=None, ping_interval=None) as listening:
        server.port = next(iter(listening.sockets)).getsockname()[1]
        yield server
