"""The gateway over the memory store, with agents that say what a test has them say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from tests.unit.core.builders import GIB, ORG
from tests.unit.core.memory import Memory

from spunto.adapters.memory.store import MemoryStore, MemoryTransaction
from spunto.core.kernel.errors import StaleVersion, Unavailable
from spunto.core.kernel.log import Log, silent
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.nodes.gateway import NodeGateway
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import NodeId, ReplicaId
from spunto.core.nodes.ports import NodesTransaction
from spunto.core.nodes.presence import Presence
from spunto.core.protocol.connection import Connection, OnStream
from spunto.core.protocol.events import Closed
from spunto.core.protocol.messages import EngineReport, Hello, Resources, StateMessage
from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.protocol.transport import TransportClosed
from spunto.testing.settling import settle

REPLICA = ReplicaId("rpl_1")


class TroubledStore:
    """A database in trouble: the answer to a commit is late until `answers` is set, hints get lost while `is_mute`,
    nothing can be written while `is_away`, and others are always faster while `is_contended`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.answers = asyncio.Event()
        self.answers.set()
        self.is_mute = False
        self.is_away = False
        self.is_contended = False

    def reading(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._store.reading()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[MemoryTransaction]:
        if self.is_away:
            raise Unavailable("database_unavailable", "The database does not answer.", retry_after_seconds=3)
        if self.is_contended:
            raise StaleVersion("node", "")
        async with self._store() as tx:
            commit = tx.commit
            if self.is_mute:
                tx.hint = lambda topic: None  # type: ignore[method-assign]  # what nobody hears

            async def late_commit() -> None:
                await commit()
                await self.answers.wait()

            tx.commit = late_commit  # type: ignore[method-assign]  # the lateness itself
            yield tx


def presence_of(
    memory: Memory, links: NodeLinks, *, uow: UnitOfWork[NodesTransaction] | None = None, log: Log = silent
) -> Presence:
    return Presence(uow or memory.store, links=links, auditor=memory.auditor, clock=memory.clock, log=log)


class Door:
    """The gateway over the memory store, with agents that say what a test has them say."""

    def __init__(self, memory: Memory, *, links: NodeLinks | None = None, replica_id: ReplicaId = REPLICA) -> None:
        self.store = TroubledStore(memory.store)
        self.logged: list[dict[str, Any]] = []
        self.gateway = NodeGateway(
            self.store,
            secrets=memory.worker_secrets,
            links=memory.links if links is None else links,
            auditor=memory.auditor,
            presence=presence_of(memory, memory.links if links is None else links, uow=self.store, log=self.log),
            clock=memory.clock,
            wakeups=memory.wakeups,
            replica_id=replica_id,
            timeline_id="t",
            log=self.log,
        )
        self._memory = memory
        self._ends: list[MemoryTransport] = []
        self.tasks: list[asyncio.Task[Any]] = []

    def log(self, event: str, /, **fields: object) -> None:
        self.logged.append({"event": event, **fields})

    async def connect(
        self, token: Secret, *, on_stream: OnStream | None = None
    ) -> tuple[Connection, asyncio.Task[Closed]]:
        agent_end, server_end = memory_transport_pair()
        self._ends.append(agent_end)
        connection = Connection.agent(
            agent_end, clock=self._memory.clock, hello=HELLO, on_message=ignore, on_stream=on_stream
        )
        running = asyncio.ensure_future(connection.run())
        self.tasks += [asyncio.ensure_future(self.gateway.serve(server_end, token)), running]
        await settle()
        return connection, running

    async def say(self, token: Secret, frame: str) -> TransportClosed:
        """Dial, say that one frame, and listen to the end; how the server closed."""
        agent_end, server_end = memory_transport_pair()
        serving = asyncio.ensure_future(self.gateway.serve(server_end, token))
        await agent_end.send(frame)
        try:
            while True:
                await agent_end.receive()
        except TransportClosed as closed:
            await serving
            return closed

    async def close(self) -> None:
        self.store.answers.set()
        for end in self._ends:
            end.abort()
        if self.tasks:
            await asyncio.wait(self.tasks)

    def cut(self) -> None:
        for end in self._ends:
            end.abort()


HELLO = Hello(
    agent_version="1",
    instance_id="i",
    boot_id="b",
    capabilities=("kind:worker",),
    engine=EngineReport(name="fake", version="1"),
    resources=Resources(cpu_millis=4000, memory_bytes=8 * GIB, max_worker_cpu_millis=4000),
)


async def ignore(_: Connection, __: StateMessage) -> None:
    return None


async def enrolled(memory: Memory, name: str = "one") -> tuple[NodeId, Secret]:
    made = await memory.nodes.create(memory.owner, ORG, name=name)
    return made.node.id, made.token
