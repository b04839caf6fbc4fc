"""The server's end of a connection: whom it lets in, what it believes, and that no end of a connection is missed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from tests.unit.core.builders import GIB, ORG
from tests.unit.core.memory import Memory

from spunto.adapters.memory.store import MemoryStore, MemoryTransaction
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.gateway import NodeGateway
from spunto.core.nodes.model import NodeId, NodeStatus
from spunto.core.protocol import closing
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.events import Closed
from spunto.core.protocol.messages import (
    AssignmentKind,
    EngineReport,
    Hello,
    Observed,
    ObservedItem,
    Phase,
    Resources,
    StateMessage,
)
from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.workers.model import WorkerState
from spunto.testing.settling import settle


class LateStore:
    """Commits at once, and says so only when `answers` is set, as a database does whose answer is late."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.answers = asyncio.Event()
        self.answers.set()

    def reading(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._store.reading()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[MemoryTransaction]:
        async with self._store() as tx:
            commit = tx.commit

            async def late_commit() -> None:
                await commit()
                await self.answers.wait()

            tx.commit = late_commit  # type: ignore[method-assign]  # the lateness itself
            yield tx


class Door:
    """The gateway over the memory store, with agents that say what a test has them say."""

    def __init__(self, memory: Memory) -> None:
        self.store = LateStore(memory.store)
        self.gateway = NodeGateway(
            self.store,
            secrets=memory.secrets,
            links=memory.links,
            clock=memory.clock,
            ids=memory.ids,
            wakeups=memory.wakeups,
            timeline_id="t",
        )
        self._memory = memory
        self._ends: list[MemoryTransport] = []
        self.tasks: list[asyncio.Task[Any]] = []

    async def connect(self, token: Secret) -> tuple[Connection, asyncio.Task[Closed]]:
        agent_end, server_end = memory_transport_pair()
        self._ends.append(agent_end)
        connection = Connection.agent(agent_end, clock=self._memory.clock, hello=HELLO, on_message=ignore)
        running = asyncio.ensure_future(connection.run())
        self.tasks += [asyncio.ensure_future(self.gateway.serve(server_end, token)), running]
        await settle()
        return connection, running

    async def close(self) -> None:
        self.store.answers.set()
        for end in self._ends:
            end.abort()
        await asyncio.wait(self.tasks)

    def cut(self) -> None:
        for end in self._ends:
            end.abort()


HELLO = Hello(
    agent_version="1",
    instance_id="i",
    boot_id="b",
    engine=EngineReport(name="fake", version="1"),
    resources=Resources(cpu_millis=4000, memory_bytes=8 * GIB, max_worker_cpu_millis=4000),
)


async def ignore(_: Connection, __: StateMessage) -> None:
    return None


@pytest.fixture
async def door(memory: Memory) -> AsyncIterator[Door]:
    door = Door(memory)
    yield door
    await door.close()


async def enrolled(memory: Memory, name: str = "one") -> tuple[NodeId, Secret]:
    made = await memory.nodes.create(memory.owner, ORG, name=name)
    return made.node.id, made.token


async def test_a_good_token_brings_the_node_online_with_what_it_offers(memory: Memory, door: Door) -> None:
    node_id, token = await enrolled(memory)

    connection, _ = await door.connect(token)

    node = await memory.node(node_id)
    assert (node.status, node.epoch, connection.epoch) == (NodeStatus.ONLINE, 1, 1)
    assert node.capacity is not None
    assert node.capacity.memory_bytes == 8 * GIB


async def test_no_other_token_gets_as_far_as_a_hello(memory: Memory, door: Door) -> None:
    _, token = await enrolled(memory)

    for text in ("", token.reveal()[:-1], "spn_" + "0" * 77):
        _, running = await door.connect(Secret(text))
        assert (await running).code == closing.UNAUTHENTICATED


async def test_a_connection_that_dies_while_it_is_let_in_leaves_nobody_online(memory: Memory, door: Door) -> None:
    node_id, token = await enrolled(memory)
    door.store.answers.clear()
    await door.connect(token)
    assert (await memory.node(node_id)).connected

    door.cut()
    await settle()
    door.store.answers.set()
    await settle()

    assert not (await memory.node(node_id)).connected


async def test_a_node_is_not_believed_about_what_stands_on_another(memory: Memory, door: Door) -> None:
    _, liar = await enrolled(memory, "liar")
    await memory.add_node("victim")
    project = await memory.add_project()
    view = await memory.workers.spawn(memory.owner, ORG, project.id)
    before = await memory.assignment(view.worker.id)
    connection, _ = await door.connect(liar)

    for phase in (Phase.FAILED, Phase.ABSENT):
        item = ObservedItem(
            kind=AssignmentKind.WORKER, id=view.worker.id, generation=1, phase=phase, at=memory.clock.now()
        )
        connection.send(Observed(epoch=1, items=(item,)))
        await settle()

    await memory.reconciler.handle(view.worker.id)
    worker = await memory.worker(view.worker.id)
    assert worker is not None
    assert (worker.state, await memory.assignment(view.worker.id)) == (WorkerState.SPAWNING, before)


async def test_an_older_run_of_the_same_agent_gives_way_and_does_not_take_the_node_offline(
    memory: Memory, door: Door
) -> None:
    node_id, token = await enrolled(memory)
    _, first = await door.connect(token)

    await door.connect(token)

    node = await memory.node(node_id)
    assert (await first).code == closing.SUPERSEDED
    assert (node.connected, node.epoch) == (True, 2)
