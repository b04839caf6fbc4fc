"""The server's end of a connection: whom it lets in, what it believes, and that no end of a connection is missed."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.unit.core.builders import GIB, ORG
from tests.unit.core.memory import Memory
from tests.unit.core.nodes.doors import Door, enrolled

from spunto.core.activity.events import EventType
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import NodeStatus, ReplicaId
from spunto.core.nodes.reports import MAX_GENERATION
from spunto.core.protocol import closing
from spunto.core.protocol.messages import Observed, ObservedItem, Phase
from spunto.core.workers.model import WorkerId, WorkerState
from spunto.testing.settling import settle


@pytest.fixture
async def door(memory: Memory) -> AsyncIterator[Door]:
    door = Door(memory)
    yield door
    await door.close()


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
        item = ObservedItem(kind="worker", id=view.worker.id, generation=1, phase=phase, at=memory.clock.now())
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


async def test_a_report_of_an_older_epoch_is_not_stored_wherever_it_arrives(memory: Memory, door: Door) -> None:
    """The older connection is held by a process that has not heard yet of the newer one."""
    node_id, token = await enrolled(memory)
    connection, ended = await door.connect(token)
    worker_id = await a_worker_on(memory)
    newer = Door(memory, links=NodeLinks(), replica_id=ReplicaId("rpl_2"))
    await newer.connect(token)

    connection.send(Observed(epoch=1, items=(observed(worker_id, Phase.RUNNING, memory),)))
    await settle()

    assert (await memory.assignment(worker_id)).observed is None
    assert (await ended).code == closing.SUPERSEDED
    assert (await memory.node(node_id)).epoch == 2
    await newer.close()


async def test_a_report_that_can_t_be_stored_ends_the_connection_so_that_it_is_told_again(
    memory: Memory, door: Door
) -> None:
    _, token = await enrolled(memory)
    connection, ended = await door.connect(token)
    worker_id = await a_worker_on(memory)
    door.store.is_away = True

    connection.send(Observed(epoch=1, items=(observed(worker_id, Phase.RUNNING, memory),)))
    closed = await ended
    door.store.is_away = False

    assert (closed.code, closed.reason, closed.retry_after_seconds) == (closing.BUSY, "database_unavailable", 1.0)


async def test_an_agent_that_lost_a_race_for_its_row_comes_again_soon(memory: Memory, door: Door) -> None:
    _, token = await enrolled(memory)
    door.store.is_contended = True

    _, ended = await door.connect(token)

    closed = await ended
    assert (closed.code, closed.reason, closed.retry_after_seconds) == (closing.BUSY, "node_contended", 1.0)


async def test_an_end_that_the_node_knows_of_is_believed_by_a_restored_database(memory: Memory, door: Door) -> None:
    """Otherwise the worker would be made anew, with an empty workspace."""
    node_id, token = await enrolled(memory)
    connection, _ = await door.connect(token)
    worker_id = await a_worker_on(memory)

    connection.send(Observed(epoch=1, items=(replace(observed(worker_id, Phase.ABSENT, memory), generation=5),)))
    await settle()
    await memory.reconciler.handle(worker_id)

    assert await memory.worker(worker_id) is None
    node = await memory.node(node_id)
    assert (node.reserved.cpu_millis, node.assignments) == (0, 0)
    async with memory.store.reading() as tx:
        assert await tx.assignments.find(worker_id) is None
        assert (await tx.assignments.buried(node_id, [worker_id]))[worker_id].generation == 5


async def test_a_node_with_an_impossible_generation_is_shut_out_and_not_followed(memory: Memory, door: Door) -> None:
    node_id, token = await enrolled(memory)
    connection, ended = await door.connect(token)
    worker_id = await a_worker_on(memory)

    item = replace(observed(worker_id, Phase.ABSENT, memory), generation=MAX_GENERATION + 1)
    connection.send(Observed(epoch=1, items=(item,)))
    await settle()

    assert ((await ended).code, (await ended).reason) == (closing.FORBIDDEN, "node_impossible_generation")
    node = await memory.node(node_id)
    assert node.quarantine is not None
    assert (await memory.assignment(worker_id)).generation == 1


async def test_a_node_that_was_followed_to_the_last_generation_may_report_it(memory: Memory, door: Door) -> None:
    _, token = await enrolled(memory)
    connection, ended = await door.connect(token)
    worker_id = await a_worker_on(memory)

    for generation in (MAX_GENERATION, MAX_GENERATION + 1):
        item = replace(observed(worker_id, Phase.RUNNING, memory), generation=generation)
        connection.send(Observed(epoch=1, items=(item,)))
        await settle()

    followed = await memory.assignment(worker_id)
    assert followed.observed is not None
    assert (followed.generation, followed.observed.generation, ended.done()) == (MAX_GENERATION + 1,) * 2 + (False,)


async def a_worker_on(memory: Memory) -> WorkerId:
    """On the only node, which is connected."""
    project = await memory.add_project()
    view = await memory.workers.spawn(memory.owner, ORG, project.id)
    await settle()
    return view.worker.id


def observed(worker_id: WorkerId, phase: Phase, memory: Memory) -> ObservedItem:
    return ObservedItem(kind="worker", id=worker_id, generation=1, phase=phase, at=memory.clock.now())


@pytest.mark.parametrize(
    "hello",
    [
        '{"type":"hello","protocolMin":1,"protocolMax":1,"agentVersion":"0.0.9"}',
        '{"type":"hello","protocolMin":3,"protocolMax":4,"said":"otherwise"}',
        '{"type":"hello","agentVersion":7}',
    ],
)
async def test_an_agent_that_is_not_understood_makes_the_node_an_error_until_one_is(
    memory: Memory, door: Door, hello: str
) -> None:
    node_id, token = await enrolled(memory)

    for _ in range(3):
        assert (await door.say(token, hello)).code == closing.BAD_PROTOCOL
    node = await memory.node(node_id)
    project = await memory.add_project()
    with pytest.raises(Conflict, match="has an agent that is not understood"):
        await memory.workers.spawn(memory.owner, ORG, project.id)

    assert (node.status, node.version) == (NodeStatus.ERROR, 2)
    assert node.problem is not None
    assert node.problem.code == "agent_incompatible"
    assert "install line" in node.problem.message
    assert [each["event"] for each in door.logged] == ["agent_incompatible"]

    await door.connect(token)
    node = await memory.node(node_id)
    assert (node.status, node.problem) == (NodeStatus.ONLINE, None)


async def test_an_agent_that_is_not_understood_leaves_alone_who_is_connected(memory: Memory, door: Door) -> None:
    node_id, token = await enrolled(memory)
    await door.connect(token)

    await door.say(token, '{"type":"hello","protocolMin":1,"protocolMax":1}')

    assert (await memory.node(node_id)).status is NodeStatus.ONLINE


async def test_agents_come_and_go_by_the_log_and_the_events_with_the_reason(memory: Memory, door: Door) -> None:
    node_id, token = await enrolled(memory)
    await door.connect(token)

    door.cut()
    await settle()

    assert [(each["event"], each.get("reason")) for each in door.logged] == [
        ("agent_connected", None),
        ("agent_disconnected", "connection_lost"),
        ("node_offline", "connection_lost"),
    ]
    async with memory.store.reading() as tx:
        events = [each for each in await tx.events.after(ORG, 0, limit=9) if each.subject_id == node_id]
    assert [(each.type, dict(each.data)) for each in events[1:]] == [
        (EventType.NODE_ONLINE, {"agentVersion": "1", "agentCommit": ""}),
        (EventType.NODE_OFFLINE, {"reason": "connection_lost"}),
    ]


async def test_a_report_that_a_mistake_of_ours_loses_ends_the_connection_too(
    memory: Memory, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = await enrolled(memory)
    connection, ended = await door.connect(token)
    worker_id = await a_worker_on(memory)

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(door.gateway.reports, "record", fail)
    connection.send(Observed(epoch=1, items=(observed(worker_id, Phase.RUNNING, memory),)))

    closed = await ended
    assert (closed.code, closed.reason) == (closing.BUSY, "internal_error")
