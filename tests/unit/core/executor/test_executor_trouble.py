"""The runner where things go wrong: it dies, its engine is away, containers end or are touched by others."""

from collections.abc import Sequence

import pytest
from tests.unit.core.executor.living_node import LivingNode, everything_on
from tests.unit.core.executor.node_values import (
    IMAGE,
    WORKER,
    a_desired_item,
    desired,
)

from spunto.core.executor.journal import Entry, MemoryJournal
from spunto.core.executor.runtime import (
    ContainerSpec,
    ContainerState,
    EngineUnavailable,
)
from spunto.core.kernel.errors import Unavailable
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.worker import Power, container_name

NAME = container_name(WORKER)
ABSENT = a_desired_item(9, wanted=Wanted.ABSENT)


@pytest.mark.parametrize("journal_is_kept", [True, False])
async def test_a_killed_agent_adopts_its_containers(journal_is_kept: bool) -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        before = await listener.until_phase(Phase.RUNNING, 1)
    if not journal_is_kept:
        node.journal = MemoryJournal()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(), whole=True))
        after = await listener.until_phase(Phase.RUNNING, 1)

    assert after.container_id == before.container_id
    assert len((await everything_on(node.runtime))[0]) == 1


async def test_an_agent_without_a_server_goes_on_by_its_journal() -> None:
    node = LivingNode()
    await node.runtime.break_engine()
    async with node.running(attached=False) as (runner, _):
        runner.apply(desired(a_desired_item()))
    node.runtime.mend_engine()

    async with node.running() as (_, listener):
        running = await listener.until_phase(Phase.RUNNING, 1)

    assert running.container_state == "running"


async def test_a_container_that_ended_is_told_and_not_started_again() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        await node.runtime.exit_container(NAME, 3)
        stopped = await listener.until_phase(Phase.STOPPED, 1)
    async with node.running() as (_, listener):
        still = await listener.until_phase(Phase.STOPPED, 1)

    assert (stopped.exit_code, still.exit_code) == (3, 3)


async def test_a_container_killed_for_want_of_memory_says_so() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        await node.runtime.exit_container(NAME, 137, oom_killed=True)
        stopped = await listener.until_phase(Phase.STOPPED, 1)

    assert stopped.error is not None
    assert stopped.error.code == "out_of_memory"


async def test_a_container_removed_by_hand_is_lost_until_the_next_start_makes_it_anew() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        await listener.until_phase(Phase.RUNNING, 1)
        await node.runtime.remove_by_hand(NAME)
        lost = await listener.until_phase(Phase.FAILED, 1)
        runner.apply(desired(a_desired_item(2)))
        await listener.until_phase(Phase.RUNNING, 2)

    assert lost.error is not None
    assert (lost.error.code, lost.container_state) == ("container_lost", "not_found")


async def test_what_happened_while_nobody_listened_shows_in_the_next_list() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        await listener.until_phase(Phase.RUNNING, 1)
        await node.runtime.break_engine()
        await node.while_time_passes(lambda: listener.inventories[-1][1].error)
        node.runtime.mend_engine()
        await node.runtime.exit_container(NAME, 4)
        await node.while_time_passes(lambda: listener.phases()[-1] is Phase.STOPPED)


async def test_an_engine_that_is_away_is_reported_and_waited_for() -> None:
    node = LivingNode()
    await node.runtime.break_engine()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await node.while_time_passes(lambda: listener.inventories)
        node.runtime.mend_engine()
        await node.while_time_passes(lambda: listener.phases() == [Phase.RUNNING])

    assert listener.inventories[0][1].error is not None
    assert listener.inventories[-1][1].error is None


async def test_an_engine_that_goes_in_the_middle_of_a_spawn_does_not_fail_it() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        for method in ("create_container", "start_container", "start_container"):
            node.runtime.fail_next(method, EngineUnavailable("restarting"))
        runner.apply(desired(a_desired_item()))
        await node.while_time_passes(lambda: Phase.RUNNING in listener.phases())

    assert Phase.FAILED not in listener.phases()
    assert len((await everything_on(node.runtime))[0]) == 1


async def test_an_image_that_does_not_exist_fails_with_the_engine_s_words() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(image="nope:1")))
        failed = await listener.until_phase(Phase.FAILED, 1)
        runner.apply(desired(a_desired_item(2)))
        await listener.until_phase(Phase.RUNNING, 2)

    assert failed.error is not None
    assert failed.error.code == "image_not_found"
    assert "manifest unknown" in failed.error.message


async def test_somebody_else_s_container_of_that_name_is_never_touched() -> None:
    node = LivingNode()
    foreign = ContainerSpec(
        name=NAME, image=IMAGE, network="bridge", hostname="x", labels={}, cpu_millis=1, memory_bytes=1, pids=1
    )
    await node.runtime.create_container(foreign)
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        failed = await listener.until_phase(Phase.FAILED, 1)
        runner.apply(desired(ABSENT))
        await listener.until_phase(Phase.ABSENT, 9)

    assert failed.error is not None
    assert failed.error.code == "container_name_taken"
    assert await node.runtime.find_container(NAME) is not None


async def test_an_unknown_container_of_the_node_is_shown_and_left_alone() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(), whole=True))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(whole=True))
        listener.inventories.clear()
        await node.while_time_passes(lambda: listener.inventories)

    (item,) = listener.inventories[0][0]
    assert (item.name, item.kind, item.id, item.generation, item.docker_state) == (NAME, "worker", WORKER, 1, "running")
    assert runner.standing(WORKER) is None
    assert node.journal.load() == []


async def test_a_journal_that_can_not_be_written_does_not_stop_the_node() -> None:
    class FullDisk(MemoryJournal):
        def save(self, entries: Sequence[Entry]) -> None:
            raise Unavailable("journal_unavailable", "disk full")

    node = LivingNode(journal=FullDisk())
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(ABSENT))
        await listener.until_phase(Phase.ABSENT, 9)

    assert "journal_failed" in node.events


async def test_a_stopped_container_started_by_hand_is_stopped_again() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED)))
        await listener.until_phase(Phase.STOPPED, 2)
        await node.runtime.start_container(NAME)
        container = node.runtime._containers[NAME]
        await node.while_time_passes(lambda: container.state is ContainerState.EXITED)
