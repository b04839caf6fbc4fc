"""One server process among several: its lease, what it lets go of, and what it notes of those that are gone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.core.builders import ORG
from tests.unit.core.memory import Memory
from tests.unit.core.nodes.doors import Door, enrolled, presence_of

from spunto.core.activity.events import EventType
from spunto.core.kernel.problem import Problem
from spunto.core.nodes.holding import LEASE_SECONDS, LOOK_SECONDS, Holding
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import NodeId, ReplicaId
from spunto.core.nodes.replica import Replica
from spunto.core.nodes.sync import topic as node_topic
from spunto.core.protocol import closing
from spunto.testing.settling import advance, settle


@dataclass(slots=True, kw_only=True)
class Process:
    """One server of several on the memory store, which hear each other's hints at once."""

    memory: Memory
    name: str
    links: NodeLinks = field(default_factory=NodeLinks)
    reported: list[BaseException] = field(default_factory=list)
    running: "asyncio.Task[None] | None" = None

    @property
    def replica(self) -> Replica:
        return Replica(id=ReplicaId(self.name))

    def holding(self) -> Holding:
        return Holding(
            self.memory.store,
            replica=self.replica,
            links=self.links,
            presence=presence_of(self.memory, self.links),
            clock=self.memory.clock,
            wakeups=self.memory.wakeups,
            report=lambda _, __, error: self.reported.append(error),
        )

    def door(self) -> Door:
        return Door(self.memory, links=self.links, replica_id=self.replica.id)

    async def start(self) -> None:
        holding = self.holding()
        await holding.enter()
        self.running = asyncio.ensure_future(holding.run())
        await settle()

    async def kill(self) -> None:
        """What a SIGKILL leaves: a row, and nobody who renews it."""
        if self.running is not None:
            self.running.cancel()
            await asyncio.wait([self.running])
            self.running = None


@dataclass(slots=True)
class Pair:
    one: Process
    other: Process


@pytest.fixture
async def pair(memory: Memory) -> AsyncIterator[Pair]:
    pair = Pair(Process(memory=memory, name="rpl_one"), Process(memory=memory, name="rpl_other"))
    for process in (pair.one, pair.other):
        await process.start()
    yield pair
    for process in (pair.one, pair.other):
        await process.kill()
        assert process.reported == []


async def test_a_starting_server_leaves_the_nodes_of_the_others_alone(memory: Memory, pair: Pair) -> None:
    door = pair.one.door()
    node_id, token = await enrolled(memory)
    await door.connect(token)
    await pair.other.kill()

    await pair.other.start()
    await advance(memory.clock, 3 * LEASE_SECONDS)

    node = await memory.node(node_id)
    assert (node.connected, node.holder) == (True, pair.one.replica.id)
    await door.close()


async def test_the_nodes_of_a_server_that_died_are_noted_as_away_by_another(memory: Memory, pair: Pair) -> None:
    door = pair.one.door()
    node_id, token = await enrolled(memory)
    await door.connect(token)
    await pair.one.kill()

    await advance(memory.clock, LEASE_SECONDS - LOOK_SECONDS - 1)
    before = (await memory.node(node_id)).connected
    await advance(memory.clock, 2 * LOOK_SECONDS)

    assert (before, (await memory.node(node_id)).connected) == (True, False)
    async with memory.store.reading() as tx:
        told = [each.type for each in await tx.events.after(ORG, 0, limit=100)]
    assert told.count(EventType.NODE_OFFLINE) == 1
    await door.close()


async def test_a_node_that_came_elsewhere_in_time_is_not_noted_as_away(memory: Memory, pair: Pair) -> None:
    first, second = pair.one.door(), pair.other.door()
    node_id, token = await enrolled(memory)
    await first.connect(token)
    await pair.one.kill()
    await second.connect(token)

    await advance(memory.clock, 2 * LEASE_SECONDS)

    node = await memory.node(node_id)
    assert (node.connected, node.holder, node.epoch) == (True, pair.other.replica.id, 2)
    for door in (first, second):
        await door.close()


async def test_a_server_that_left_is_noted_at_the_next_look(memory: Memory, pair: Pair) -> None:
    node = await memory.add_node(holder=pair.one.replica.id)
    await pair.one.kill()

    await pair.one.holding().leave()
    await advance(memory.clock, LOOK_SECONDS + 1)

    assert not (await memory.node(node.id)).connected


@pytest.mark.parametrize("hinted", [True, False])
async def test_an_agent_that_came_elsewhere_supersedes_the_connection_here(
    memory: Memory, pair: Pair, hinted: bool
) -> None:
    first, second = pair.one.door(), pair.other.door()
    _, token = await enrolled(memory)
    _, ended = await first.connect(token)
    second.store.is_mute = not hinted

    await second.connect(token)
    if not hinted:
        assert not ended.done()
        await advance(memory.clock, LOOK_SECONDS + 1)

    assert (await ended).code == closing.SUPERSEDED
    for door in (first, second):
        await door.close()


@pytest.mark.parametrize("how", ["rotated", "deleted", "quarantined"])
async def test_what_shuts_a_node_out_cuts_its_connection_wherever_it_is(memory: Memory, pair: Pair, how: str) -> None:
    door = pair.one.door()
    node_id, token = await enrolled(memory)
    _, ended = await door.connect(token)

    # `memory.nodes` is the service of a third process, which has no links at all.
    if how == "rotated":
        await memory.nodes.rotate_token(memory.owner, ORG, node_id)
    elif how == "deleted":
        await memory.nodes.delete(memory.owner, ORG, node_id, force=False)
    else:
        await quarantine(memory, node_id)
        await advance(memory.clock, LOOK_SECONDS + 1)
    await settle()

    closed = await ended
    reasons = {"rotated": "token_rotated", "deleted": "node_deleted", "quarantined": "node_flapping"}
    assert (closed.code, closed.reason) == (closing.FORBIDDEN, reasons[how])
    await door.close()


async def test_a_connection_that_was_noted_as_away_is_begun_again(memory: Memory, pair: Pair) -> None:
    door = pair.one.door()
    node_id, token = await enrolled(memory)
    _, ended = await door.connect(token)
    node = await memory.node(node_id)
    async with memory.store() as tx:
        await tx.nodes.update(node.disconnected(epoch=node.epoch, at=memory.clock.now()))
        await tx.commit()

    await advance(memory.clock, LOOK_SECONDS + 1)

    assert (await ended).code == closing.RESTARTING
    await door.close()


async def test_what_is_asked_is_heard_without_any_hint_and_once(memory: Memory, pair: Pair) -> None:
    node = await memory.add_node(holder=pair.one.replica.id)
    project = await memory.add_project()
    await memory.workers.spawn(memory.owner, ORG, project.id)
    heard: list[str] = []
    memory.wakeups.listen(node_topic(node.id), lambda: heard.append("again"))

    await advance(memory.clock, 4 * LOOK_SECONDS)

    assert heard == ["again"]


async def quarantine(memory: Memory, node_id: NodeId) -> None:
    node = await memory.node(node_id)
    problem = Problem(code="node_flapping", message="Stop one.")
    async with memory.store() as tx:
        await tx.nodes.update(replace(node, quarantine=problem, connected=False, holder=None))
        await tx.commit()


async def test_a_connection_that_ended_while_the_database_was_away_is_noted_when_it_is_back(
    memory: Memory, pair: Pair
) -> None:
    door = pair.one.door()
    node_id, token = await enrolled(memory)
    await door.connect(token)
    door.store.is_away = True
    door.cut()
    await asyncio.gather(*door.tasks, return_exceptions=True)
    before = (await memory.node(node_id)).connected

    await advance(memory.clock, 2 * LOOK_SECONDS)

    assert (before, (await memory.node(node_id)).connected) == (True, False)
    async with memory.store.reading() as tx:
        told = [each.type for each in await tx.events.after(ORG, 0, limit=100)]
    assert told.count(EventType.NODE_OFFLINE) == 1
