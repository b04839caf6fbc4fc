"""What happens to workers when agents die, forget, are doubled or lose their token."""

from collections.abc import Sequence

import pytest
from tests.unit.journeys.steps import NOTHING, a_ready_worker, a_worker, at, is_clean, node_of, running, status_of

from spunto.adapters.memory.runtime_commands import Process
from spunto.core.nodes.model import NodeStatus
from spunto.core.protocol.closing import FORBIDDEN, UNAUTHENTICATED
from spunto.core.workers.model import DockerState, WorkerState
from spunto.testing.harness import Harness

S = WorkerState
OFFLINE_SECONDS = 45.0
RELIST_SECONDS = 30.0


async def test_a_container_removed_by_hand_while_the_agent_was_dead_is_noticed(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    node.kill_agent()
    await node.remove_by_hand(worker.id)
    node.start_agent()
    await harness.settle()

    assert (await worker.state(), (await worker.problem() or ("",))[0]) == (S.ERROR, "container_lost")


@pytest.mark.parametrize("effect", ["create_container", "start_container"])
@pytest.mark.parametrize("journal", ["kept", "lost"])
async def test_an_agent_killed_before_it_could_report_adopts_what_it_made(
    harness: Harness, effect: str, journal: str
) -> None:
    node = await harness.add_node("one")
    node.kill_agent_after(effect)
    worker = await a_worker(harness)
    await harness.settle()
    assert (await worker.state(), node.agent) == (S.SPAWNING, None)
    [made] = node.containers()

    if journal == "lost":
        node.lose_journal()
    node.start_agent()
    await harness.settle()

    [adopted] = node.containers()
    assert (await worker.state(), adopted.container_id) == (S.READY, made.container_id)
    assert running(node) == [worker.container]


@pytest.mark.parametrize("journal", ["kept", "lost"])
async def test_a_restarted_agent_leaves_running_workers_alone(harness: Harness, journal: str) -> None:
    begun: list[str] = []

    async def begin(_: Process, arguments: Sequence[str]) -> int:
        begun.extend(arguments)
        return 0

    node = await harness.add_node("one", commands={"begin": begin})
    worker = await a_ready_worker(harness, post_create_command="begin once", post_start_command="begin again")
    [before] = node.containers()

    if journal == "lost":
        node.lose_journal()
    node.restart_agent()
    await harness.settle()

    assert (await worker.state(), begun) == (S.READY, ["once", "again"])
    assert node.containers() == [before]


@pytest.mark.parametrize("wish", ["stop", "destroy"])
async def test_what_was_wished_while_the_agent_was_dead_is_done(harness: Harness, wish: str) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    node.kill_agent()
    node.lose_journal()
    await harness.settle()

    await (worker.stop() if wish == "stop" else worker.destroy())
    node.start_agent()
    await harness.settle()

    assert running(node) == []
    assert await worker.is_gone() if wish == "destroy" else await worker.state() is S.STOPPED


async def test_of_two_agents_with_one_token_the_newer_one_wins(harness: Harness) -> None:
    node = await harness.add_node("one")
    clone = await harness.clone_node(node)

    worker = await a_ready_worker(harness)

    assert (running(node), running(clone)) == ([], [worker.container])
    assert (await node_of(harness, node)).epoch == 2


async def test_agents_that_keep_superseding_one_another_are_shut_out_until_the_token_is_rotated(
    harness: Harness,
) -> None:
    node = await harness.add_node("one")
    clone = await harness.clone_node(node)
    await harness.advance(300)

    found = await node_of(harness, node)
    assert found.quarantine is not None
    assert (found.quarantine.code, found.status) == ("node_flapping", NodeStatus.QUARANTINED)
    assert node.agent is not None
    assert clone.agent is not None
    assert {each.agent.turned_away.code for each in (node, clone) if each.agent and each.agent.turned_away} == {
        FORBIDDEN
    }

    clone.kill_agent()
    await harness.rotate_token(node)
    node.restart_agent()
    await harness.settle()
    worker = await a_ready_worker(harness)
    assert running(node) == [worker.container]


async def test_an_agent_that_restarts_again_and_again_is_not_mistaken_for_two(harness: Harness) -> None:
    node = await harness.add_node("one")
    for _ in range(10):
        node.restart_agent()
        await harness.settle()

    found = await node_of(harness, node)
    assert (found.status, found.quarantine, found.epoch) == (NodeStatus.ONLINE, None, 11)


@pytest.mark.parametrize("end", ["ended", "removed"])
async def test_a_worker_that_an_agent_without_a_memory_runs_again_is_ready_and_holds_its_room(
    harness: Harness, end: str
) -> None:
    node = await harness.add_node("one", cpus=1)
    worker = await a_ready_worker(harness)
    if end == "ended":
        await node.engine.exit_container(worker.container, 1)
    else:
        await node.remove_by_hand(worker.id)
    await harness.settle()
    assert (await node_of(harness, node)).reserved == NOTHING

    node.kill_agent()
    node.lose_journal()
    node.start_agent()
    await harness.settle()

    assert (await worker.state(), running(node)) == (S.READY, [worker.container])
    assert (await node_of(harness, node)).reserved.cpu_millis == 1000


async def test_a_container_that_is_restarted_by_hand_is_ready_and_holds_its_room(harness: Harness) -> None:
    node = await harness.add_node("one", cpus=1)
    worker = await a_ready_worker(harness)

    await node.engine.exit_container(worker.container, 143)
    await harness.settle()
    assert ((await worker.problem() or ("",))[0], (await node_of(harness, node)).reserved) == ("worker_exited", NOTHING)
    await node.engine.start_container(worker.container)
    await harness.settle()

    assert (await worker.state(), await worker.problem(), running(node)) == (S.READY, None, [worker.container])
    assert (await node_of(harness, node)).reserved.cpu_millis == 1000


async def test_a_container_that_is_started_by_hand_where_others_took_its_room_is_stopped_and_says_why(
    harness: Harness,
) -> None:
    node = await harness.add_node("one", cpus=1)
    worker = await a_ready_worker(harness)
    await node.engine.exit_container(worker.container, 143)
    await harness.settle()
    other = await a_ready_worker(harness, "other")

    await node.engine.start_container(worker.container)
    await harness.settle()

    assert (await worker.state(), (await worker.problem() or ("",))[0]) == (S.STOPPED, "no_room")
    assert running(node) == [other.container]
    await other.destroy()
    await harness.settle()
    await worker.start()
    await harness.settle()
    assert (await worker.state(), running(node)) == (S.READY, [worker.container])


async def test_the_inventory_is_what_the_engine_has_at_that_moment(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    await node.engine.exit_container(worker.container, 3)

    now = await harness.spunto.nodes.inventory(*at(harness, node))
    await node.break_engine()
    without_engine = await harness.spunto.nodes.inventory(*at(harness, node))

    assert [(each.item.name, each.item.docker_state) for each in now.items] == [(worker.container, "exited")]
    assert [each.item.name for each in without_engine.items] == [worker.container]
    assert without_engine.engine.error is not None


async def test_a_container_that_was_renamed_by_hand_is_found_and_destroyed(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)

    node.engine.rename_by_hand(worker.container, "another-name")
    await harness.settle()
    await worker.destroy()
    await harness.settle()

    assert await worker.is_gone()
    assert is_clean(node)


async def test_a_rotated_token_cuts_its_agent_off_at_once_and_never_lets_it_in_again(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)

    await harness.rotate_token(node)
    await harness.settle()
    assert await status_of(harness, node) is NodeStatus.OFFLINE
    assert node.agent is not None
    assert node.agent.turned_away is not None
    assert node.agent.turned_away.code == FORBIDDEN
    assert running(node) == [worker.container]

    rotated_away = node.token
    await harness.rotate_token(node)
    newest, node.token = node.token, rotated_away
    node.restart_agent()
    await harness.settle()
    assert node.agent.turned_away is not None
    assert node.agent.turned_away.code == UNAUTHENTICATED

    node.token = newest
    node.restart_agent()
    await harness.settle()
    assert (await status_of(harness, node), await worker.docker_state()) == (NodeStatus.ONLINE, DockerState.RUNNING)
