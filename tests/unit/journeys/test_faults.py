"""What happens to workers when nodes, agents, engines and people do what they should not."""

from dataclasses import replace

import pytest
from tests.unit.journeys.steps import NOTHING, a_ready_worker, a_worker, at, is_clean, node_of, running, status_of

from spunto.core.executor.runtime import ContainerSpec, EngineUnavailable, Network
from spunto.core.kernel.errors import Conflict, NotFound, Unavailable
from spunto.core.nodes.inventory import Standing
from spunto.core.nodes.model import NodeStatus
from spunto.core.specs.names import ID_LABEL, NODE_LABEL
from spunto.core.workers.model import DockerState, WorkerState
from spunto.core.workers.reach import ExecRequest
from spunto.testing.harness import Harness
from spunto.testing.node import DEFAULT_IMAGE, SimulatedNode

S = WorkerState
OFFLINE_SECONDS = 45.0
RELIST_SECONDS = 30.0


async def known(harness: Harness, node: SimulatedNode) -> dict[str, Standing]:
    """Each container of the node's inventory by name, with how it is judged."""
    inventory = await harness.spunto.nodes.inventory(harness.owner, harness.organization.id, node.id)
    return {found.item.name: found.known for found in inventory.items}


async def test_a_stop_asked_for_while_the_node_is_away_happens_when_it_is_back(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    node.disconnect()
    await harness.settle()

    await worker.stop()
    await harness.advance(3600)
    assert (await worker.state(), await worker.docker_state()) == (S.STOPPING, DockerState.UNKNOWN)
    assert running(node) == [worker.container]

    await node.reconnect()
    await harness.settle()
    assert (await worker.state(), await worker.docker_state()) == (S.STOPPED, DockerState.STOPPED)
    assert running(node) == []


async def test_a_destroy_asked_for_while_the_node_is_away_happens_when_it_is_back(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    node.disconnect()
    await harness.settle()

    await worker.destroy()
    await harness.advance(3 * 3600)
    assert await worker.state() is S.DESTROYING

    await node.reconnect()
    await harness.settle()
    assert await worker.is_gone()
    assert is_clean(node)


async def test_a_partition_shorter_than_the_threshold_is_not_noticed(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    node.partition()
    await harness.advance(OFFLINE_SECONDS - 20)
    await worker.stop()
    await node.reconnect()
    await harness.settle()

    assert (await node_of(harness, node)).epoch == 1
    assert await worker.state() is S.STOPPED


async def test_a_node_that_was_cut_off_for_long_comes_back_with_nothing_lost(harness: Harness) -> None:
    node = await harness.add_node("one")
    kept, stopped, destroyed = [await a_ready_worker(harness, name) for name in ("a", "b", "c")]

    node.partition()
    await harness.advance(OFFLINE_SECONDS + 1)
    assert await status_of(harness, node) is NodeStatus.OFFLINE
    assert (await kept.state(), await kept.docker_state()) == (S.READY, DockerState.UNKNOWN)
    with pytest.raises(Unavailable) as caught:
        await harness.spunto.reach.exec(*kept.here, ExecRequest(command=["true"]))
    assert caught.value.code == "node_offline"
    await stopped.stop()
    await destroyed.destroy()
    await harness.advance(3600)

    await node.reconnect()
    await harness.advance(5)
    assert await status_of(harness, node) is NodeStatus.ONLINE
    assert (await kept.state(), await kept.docker_state()) == (S.READY, DockerState.RUNNING)
    assert await stopped.state() is S.STOPPED
    assert await destroyed.is_gone()
    assert running(node) == [kept.container]


async def test_nothing_is_placed_on_a_node_that_is_away(harness: Harness) -> None:
    away = await harness.add_node("away")
    here = await harness.add_node("here")
    away.disconnect()
    await harness.settle()

    worker = await a_ready_worker(harness)

    assert (await worker.get()).node_id == here.id


async def test_a_container_removed_by_hand_is_an_error_that_start_mends(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)

    await node.remove_by_hand(worker.id)
    await harness.settle()
    code, _ = await worker.problem() or ("", "")
    assert (await worker.state(), code) == (S.ERROR, "container_lost")
    assert await worker.docker_state() is DockerState.NOT_FOUND
    assert (await node_of(harness, node)).reserved == NOTHING

    await worker.start()
    await harness.settle()
    assert (await worker.state(), running(node)) == (S.READY, [worker.container])


async def test_while_the_engine_is_away_the_node_says_so_and_what_was_asked_is_done_later(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    project = await harness.add_project("second")
    view = await harness.spawn(project)
    await node.break_engine()
    await worker.stop()
    await harness.advance(RELIST_SECONDS)

    agent = (await node_of(harness, node)).agent
    assert agent is not None
    assert agent.engine_problem is not None
    assert agent.engine_problem.code == "engine_unavailable"
    with pytest.raises(Conflict, match="has no engine"):
        await harness.spawn(project)

    node.mend_engine()
    await harness.advance(RELIST_SECONDS)
    assert await worker.state() is S.STOPPED
    assert (await harness.worker(project, view.worker.id)).worker.state is S.READY
    assert (await node_of(harness, node)).agent == replace(agent, engine_problem=None)


async def test_an_engine_that_fails_once_is_asked_again(harness: Harness) -> None:
    node = await harness.add_node("one")
    for method in ("create_container", "start_container", "ensure_network"):
        node.engine.fail_next(method, EngineUnavailable("hiccup"))
    worker = await a_worker(harness)

    await harness.advance(RELIST_SECONDS)

    assert (await worker.state(), running(node)) == (S.READY, [worker.container])


async def test_what_takes_too_long_is_an_error_and_becomes_ready_all_the_same(harness: Harness) -> None:
    node = await harness.add_node("one", published=["slow"])
    node.engine.hold_pulls()
    worker = await a_worker(harness, image="slow")
    await harness.advance(15 * 60 + 1)
    assert (await worker.state(), (await worker.problem() or ("",))[0]) == (S.ERROR, "deadline_passed")

    node.engine.release_pulls()
    await harness.settle()

    assert (await worker.state(), await worker.problem()) == (S.READY, None)


async def test_a_container_that_was_deleted_here_is_removed_and_an_unknown_one_is_left_alone(
    harness: Harness,
) -> None:
    node = await harness.add_node("one")
    deleted = await a_ready_worker(harness)
    await deleted.destroy()
    await harness.settle()
    assert is_clean(node)

    for name, subject_id in ((deleted.container, deleted.id), ("mp-worker-x", "wkr_0000000000000000000000000x")):
        await node.engine.ensure_network(Network(name=name, subnet=f"10.9.{len(name)}.0/28", labels={}))
        await node.engine.create_container(
            ContainerSpec(
                name=name,
                image=DEFAULT_IMAGE,
                network=name,
                hostname=name,
                labels={NODE_LABEL: node.id, ID_LABEL: subject_id},
                cpu_millis=1,
                memory_bytes=1,
                pids=1,
            )
        )
        await node.engine.start_container(name)
    await harness.advance(2 * RELIST_SECONDS)

    assert running(node) == ["mp-worker-x"]
    assert await known(harness, node) == {"mp-worker-x": Standing.QUARANTINED}


async def test_a_node_deleted_by_force_ends_when_its_agent_has_removed_everything(harness: Harness) -> None:
    node = await harness.add_node("one")
    workers = [await a_ready_worker(harness, name) for name in ("a", "b")]

    waiting = await harness.spunto.nodes.delete(*at(harness, node), force=True)
    await harness.settle()

    assert waiting is not None
    assert waiting.status is NodeStatus.DELETING
    assert is_clean(node)
    assert [await worker.is_gone() for worker in workers] == [True, True]
    assert node.agent is not None
    assert node.agent.turned_away is not None
    assert node.agent.turned_away.reason == "node_deleted"
    with pytest.raises(NotFound):
        await node_of(harness, node)


async def test_a_node_deleted_by_force_while_it_is_away_is_remembered_and_ends_when_it_is_back(
    harness: Harness,
) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    node.disconnect()
    await harness.settle()

    await harness.spunto.nodes.delete(*at(harness, node), force=True)
    await harness.advance(3 * 3600)
    found = await node_of(harness, node)
    assert (found.status, found.connected, await worker.state()) == (NodeStatus.DELETING, False, S.DESTROYING)
    assert running(node) == [worker.container]

    await node.reconnect()
    await harness.settle()
    assert is_clean(node)
    assert await worker.is_gone()
    with pytest.raises(NotFound):
        await node_of(harness, node)


async def test_a_start_asked_for_while_the_node_is_away_happens_when_it_is_back(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    await worker.stop()
    await harness.settle()
    node.disconnect()
    await harness.settle()

    await worker.start()
    await harness.advance(3600)
    assert (await worker.state(), running(node)) == (S.STARTING, [])

    await node.reconnect()
    await harness.settle()
    assert (await worker.state(), running(node)) == (S.READY, [worker.container])


async def test_a_drained_node_keeps_what_it_has_and_gets_nothing_new(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)

    await harness.spunto.nodes.drain(*at(harness, node))

    with pytest.raises(Conflict, match="one is draining"):
        await harness.spawn(worker.project)
    await worker.stop()
    await harness.settle()
    assert await worker.state() is S.STOPPED
