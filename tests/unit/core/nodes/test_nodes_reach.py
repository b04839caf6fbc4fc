"""Streams to a node whose socket another server process holds, and what they answer when that one is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.unit.core.memory import Memory
from tests.unit.core.nodes.doors import Door, enrolled

from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.problem import Problem
from spunto.core.nodes import reach
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import NodeId, ReplicaId
from spunto.core.nodes.peers import CONNECT_SECONDS, Peers, ReplicaAway
from spunto.core.nodes.reach import HeldNodes, NodeReach
from spunto.core.nodes.replica import Replica
from spunto.core.protocol.messages import EngineReport, Inventory
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.protocol.stream import Stream
from spunto.core.protocol.transport import Transport
from spunto.testing.settling import settle


@dataclass(slots=True)
class Town:
    """Two processes that can dial each other, over one memory store."""

    memory: Memory
    processes: "dict[ReplicaId, Process]" = field(default_factory=dict)
    dialled: list[ReplicaId] = field(default_factory=list)
    ends: list[MemoryTransport] = field(default_factory=list)
    answers: bool = True

    async def dial(self, replica: Replica) -> Transport:
        self.dialled.append(replica.id)
        if replica.id not in self.processes:
            raise ReplicaAway
        one, other = memory_transport_pair()
        self.ends += [one, other]
        if self.answers:
            process = self.processes[replica.id]
            process.serving.append(asyncio.ensure_future(process.peers.serve(other)))
        return one


class Process:
    def __init__(self, town: Town, name: str) -> None:
        self.replica = Replica(id=ReplicaId(name), url=f"http://{name}")
        self.links = NodeLinks()
        self.peers = Peers(
            own=self.replica,
            dial=town.dial,
            timeline_id="t",
            clock=town.memory.clock,
            on_stream=HeldNodes(self.links).handle,
        )
        self.reach = NodeReach(
            town.memory.store, links=self.links, replica=self.replica, peers=self.peers, clock=town.memory.clock
        )
        self.door = Door(town.memory, links=self.links, replica_id=self.replica.id)
        self.serving: list[asyncio.Task[None]] = []
        self.running = asyncio.ensure_future(self.peers.run())

    async def close(self) -> None:
        await self.door.close()
        self.running.cancel()
        await asyncio.wait([self.running, *self.serving])


@asynccontextmanager
async def a_pair(memory: Memory) -> AsyncIterator[tuple[Town, Process, Process, NodeId]]:
    """`here` and `there`; the node's agent, which echoes, is connected to `there`."""
    town = Town(memory)
    here, there = Process(town, "rpl_here"), Process(town, "rpl_there")
    async with memory.store() as tx:
        for process in (here, there):
            town.processes[process.replica.id] = process
            await tx.replicas.renew(process.replica, now=memory.clock.now(), for_seconds=3600)
        await tx.commit()
    node_id, token = await enrolled(memory)
    await there.door.connect(token, on_stream=echo)
    try:
        yield town, here, there, node_id
    finally:
        for end in town.ends:
            end.abort()
        for process in (here, there):
            await process.close()


async def echo(stream: Stream) -> None:
    if stream.kind == "refuse":
        stream.reset("engine_refused", "It will not.")
    while (piece := await stream.next()) is not None:
        if isinstance(piece, bytes):
            await stream.write(piece)
        else:
            await stream.send_control(piece)


async def never(_: Stream) -> None:
    await asyncio.get_running_loop().create_future()


async def test_streams_through_the_holder_share_one_connection(memory: Memory) -> None:
    async with a_pair(memory) as (town, here, _, node_id):
        streams = await asyncio.gather(*(here.reach.open(node_id, "exec", {}) for _ in range(20)))
        for number, stream in enumerate(streams):
            await stream.write(b"%d" % number)
            await stream.send_control({"n": number})
        heard = [(await stream.next(), await stream.next()) for stream in streams]

        assert heard == [(b"%d" % number, {"n": number}) for number in range(20)]
        assert town.dialled == ["rpl_there"]


async def test_a_node_s_refusal_comes_through_as_it_was_said(memory: Memory) -> None:
    async with a_pair(memory) as (_, here, _, node_id):
        stream = await here.reach.open(node_id, "refuse", {})
        with pytest.raises(StreamReset) as caught:
            await stream.next()

        assert caught.value.code == "engine_refused"


async def test_what_a_node_listed_comes_through_its_holder(memory: Memory) -> None:
    async with a_pair(memory) as (_, here, there, node_id):
        assert await code_of(here.reach.inventory(node_id)) == "node_offline"
        link = there.links.find(node_id)
        assert link is not None
        link.listed = Inventory(
            epoch=1, sampled_at=memory.clock.now(), engine=EngineReport(name="docker", version="20")
        )

        assert await here.reach.inventory(node_id) == await there.reach.inventory(node_id) == link.listed


async def test_a_node_that_nobody_holds_is_offline(memory: Memory) -> None:
    async with a_pair(memory) as (town, here, _, _):
        node = await memory.add_node("away", connected=False)

        assert await code_of(here.reach.open(node.id, "exec", {})) == "node_offline"
        assert town.dialled == []


async def test_a_node_whose_agent_is_not_understood_says_so_with_the_way_out(memory: Memory) -> None:
    problem = Problem(code="agent_incompatible", message="Run the install line again.")
    async with a_pair(memory) as (_, here, _, _):
        node = await memory.add_node("away", connected=False)
        async with memory.store() as tx:
            await tx.nodes.update(node.not_understood(problem))
            await tx.commit()

        for reaching in (here.reach.open(node.id, "exec", {}), here.reach.inventory(node.id)):
            with pytest.raises(Unavailable) as caught:
                await reaching
            assert (caught.value.code, caught.value.message) == (problem.code, problem.message)


@pytest.mark.parametrize("how", ["dead", "released", "frozen", "stuck"])
async def test_a_node_whose_holder_is_gone_is_offline_within_seconds(
    memory: Memory, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "OPEN_SECONDS", 0.2)
    async with a_pair(memory) as (town, here, there, node_id):
        if how == "dead":
            del town.processes[there.replica.id]
        elif how == "released":
            async with memory.store() as tx:
                await tx.replicas.remove(there.replica.id)
                await tx.commit()
        elif how == "frozen":
            town.answers = False
        else:
            there.peers._on_stream = never
        loop = asyncio.get_running_loop()
        begun_at = loop.time()

        with pytest.raises(Unavailable) as caught:
            await here.reach.open(node_id, "exec", {})

        assert (caught.value.code, caught.value.retry_after_seconds) == ("node_offline", 5)
        assert loop.time() - begun_at <= 2 * CONNECT_SECONDS + 1


async def test_a_connection_that_broke_is_made_again(memory: Memory) -> None:
    async with a_pair(memory) as (town, here, _, node_id):
        stream = await here.reach.open(node_id, "exec", {})
        town.ends[0].abort()
        await settle()
        with pytest.raises(Unavailable):
            await stream.next()

        again = await here.reach.open(node_id, "exec", {})
        await again.write(b"x")

        assert await again.next() == b"x"
        assert town.dialled == ["rpl_there", "rpl_there"]


async def test_a_node_that_is_here_is_reached_without_the_others(memory: Memory) -> None:
    async with a_pair(memory) as (town, here, there, node_id):
        link = there.links.find(node_id)
        assert link is not None
        there.links.detach(node_id, link)
        here.links.attach(node_id, link)

        stream = await here.reach.open(node_id, "exec", {})
        await stream.write(b"x")

        assert await stream.next() == b"x"
        assert town.dialled == []
        here.links.detach(node_id, link)


async def code_of(asking: object) -> str:
    with pytest.raises(Unavailable) as caught:
        await asking  # type: ignore[misc]  # a coroutine of either kind
    return caught.value.code
