"""A node in memory with a server at the other end of its connection."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.unit.core.executor.living_node import LivingNode
from tests.unit.core.executor.node_values import NODE, WORKER, a_desired_item, desired

from spunto.core.executor.streams.serving import NodeStreams
from spunto.core.executor.uplink import Uplink
from spunto.core.kernel.log import silent
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import Hello, Inventory, Observed, ObservedItem, Phase, StateMessage, Welcome
from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.protocol.stream import Stream

PATIENCE_SECONDS = 5.0


@dataclass(slots=True)
class Server:
    """What the node said on the connection that is up, and a hand on the wire."""

    connection: Connection
    transport: MemoryTransport
    observed: list[ObservedItem] = field(default_factory=list)
    inventories: list[Inventory] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self, kind: str, subject_id: str = WORKER, **params: Any) -> Stream:
        return self.connection.open(kind, {"subjectId": subject_id, **params})

    async def until_running(self, subject_id: str = WORKER) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any(item.id == subject_id and item.phase is Phase.RUNNING for item in self.observed):
                self.changed.clear()
                await self.changed.wait()

    async def take_in(self, _: Connection, message: StateMessage) -> None:
        if isinstance(message, Observed):
            self.observed += message.items
        elif isinstance(message, Inventory):
            self.inventories.append(message)
        self.changed.set()


class LinkedNode(LivingNode):
    """`up` is one life of the agent; `connected` one connection within it."""

    def note(self, event: str, /, **fields: Any) -> None:
        self.told.append((event, fields))

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Uplink]:
        async with self.running(attached=False) as (runner, _):
            streams = NodeStreams(
                self.runtime, clock=self.clock, standing=runner.standing, inventory=runner.inventory, log=self.note
            )
            holding = asyncio.ensure_future(streams.run())
            try:
                await runner.engine_answered()
                yield Uplink(runner, clock=self.clock, on_stream=streams.handle, log=silent)
            finally:
                holding.cancel()
                await asyncio.wait([holding])

    @asynccontextmanager
    async def connected(self, uplink: Uplink, *, epoch: int = 1) -> AsyncIterator[Server]:
        ours, theirs = memory_transport_pair()

        async def accept(_: Hello, protocol: int) -> Welcome:
            return Welcome(protocol=protocol, epoch=epoch, timeline_id="t", node_id=NODE, server_time=self.clock.now())

        async def deliver(connection: Connection, message: StateMessage) -> None:
            await server.take_in(connection, message)

        server = Server(Connection.server(ours, clock=self.clock, accept=accept, on_message=deliver), ours)
        running = [asyncio.ensure_future(server.connection.run()), asyncio.ensure_future(uplink.serve(theirs))]
        try:
            await server.connection.ready()
            yield server
        finally:
            ours.abort()
            await asyncio.wait(running)

    @asynccontextmanager
    async def with_worker(self) -> AsyncIterator[Server]:
        async with self.up() as uplink, self.connected(uplink) as server:
            server.connection.send(desired(a_desired_item(), whole=True))
            await server.until_running()
            yield server


async def output_of(stream: Stream) -> tuple[dict[int, bytes], Mapping[str, Any]]:
    """What an exec stream said on each descriptor, and its last word."""
    said: dict[int, bytes] = {1: b"", 2: b""}
    fd, last = 1, {}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (piece := await stream.next()) is not None:
            if isinstance(piece, bytes):
                said[fd] += piece
            else:
                fd, last = piece.get("fd", fd), piece
    return said, last


async def read_until(stream: Stream, end: bytes) -> bytes:
    """The output up to and with these bytes, controls passed over."""
    said = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while end not in said:
            piece = await stream.read()
            assert piece is not None
            said += piece
    return said
