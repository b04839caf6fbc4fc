"""The gateway of edges over the memory store, with edges that say what a test has them say."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.unit.core.memory import Memory

from spunto.core.kernel.secret import Secret
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.events import Closed
from spunto.core.protocol.messages import (
    Desired,
    DesiredItem,
    EngineReport,
    Hello,
    Observed,
    ObservedItem,
    Phase,
    Resources,
    StateMessage,
    Wanted,
)
from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.protocol.stream import Stream
from spunto.core.routes.desired import EDGE_SESSION, ROUTE, URL_LABEL, AddressesSpec, RouteSpec
from spunto.core.routes.edges import EdgeRegistry
from spunto.core.routes.gateway import EdgeGateway
from spunto.core.routes.hosts import Addresses
from spunto.testing.settling import settle

HELLO = Hello(
    agent_version="1",
    instance_id="edge",
    boot_id="boot",
    engine=EngineReport(name="", version=""),
    resources=Resources(cpu_millis=0, memory_bytes=0, max_worker_cpu_millis=0),
    labels={URL_LABEL: "wss://edge.example"},
)
ADDRESSES = AddressesSpec(
    app_url="http://spunto.localhost:8000",
    addresses=Addresses(scheme="http", base_domain="w.localhost", port=8000),
)


@dataclass(slots=True)
class Keys:
    keys: Sequence[bytes] = (b"one",)

    def all(self) -> Sequence[bytes]:
        return self.keys


@dataclass(slots=True, kw_only=True)
class ConnectedEdge:
    """One connection, with all that the server said on it."""

    connection: Connection
    end: MemoryTransport
    running: "asyncio.Task[Closed]"
    said: list[Desired] = field(default_factory=list)

    @property
    def items(self) -> list[DesiredItem]:
        return [item for desired in self.said for item in desired.items]

    def routes(self) -> dict[str, RouteSpec]:
        """What the edge would serve now."""
        held: dict[str, RouteSpec] = {}
        for desired in self.said:
            held = {} if desired.whole else held
            for item in desired.items:
                if item.kind == ROUTE and item.wanted is Wanted.PRESENT:
                    held[item.id] = RouteSpec.from_json(item.spec or {})
                elif item.kind == ROUTE:
                    held.pop(item.id, None)
        return held

    async def apply(self, memory: Memory, subject_id: str, generation: int) -> None:
        item = ObservedItem(
            kind=ROUTE, id=subject_id, generation=generation, phase=Phase.RUNNING, at=memory.clock.now()
        )
        self.connection.send(Observed(epoch=self.connection.epoch, items=(item,)))
        await settle()


class EdgeDoor:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.keys = Keys()
        self.registry = EdgeRegistry(memory.racing, clock=memory.clock, ids=memory.ids)
        self.logged: list[dict[str, Any]] = []
        self.gateway = self.another_server()
        self._tasks: list[asyncio.Task[Any]] = []

    def another_server(self) -> EdgeGateway:
        return EdgeGateway(
            self.memory.racing,
            on_question=self.answer,
            keys=self.keys,
            addresses=ADDRESSES,
            clock=self.memory.clock,
            wakeups=self.memory.wakeups,
            timeline_id="t",
            log=self.log,
        )

    def log(self, event: str, /, **fields: object) -> None:
        self.logged.append({"event": event, **fields})

    async def answer(self, stream: Stream) -> None:
        await stream.write_eof()

    async def connect(self, token: Secret, *, gateway: EdgeGateway | None = None) -> ConnectedEdge:
        edge_end, server_end = memory_transport_pair()
        said: list[Desired] = []

        async def take(_: Connection, message: StateMessage) -> None:
            if isinstance(message, Desired):
                said.append(message)

        connection = Connection.agent(
            edge_end, clock=self.memory.clock, hello=HELLO, on_message=take, settings=EDGE_SESSION
        )
        running = asyncio.ensure_future(connection.run())
        self._tasks += [asyncio.ensure_future((gateway or self.gateway).serve(server_end, token)), running]
        await settle()
        return ConnectedEdge(connection=connection, end=edge_end, running=running, said=said)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
