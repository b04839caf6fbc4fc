"""The runner brings about what is wanted on the fake engine, step by step."""

from collections.abc import Sequence

import orjson
from tests.unit.core.executor.living_node import LivingNode, everything_on
from tests.unit.core.executor.node_values import (
    IMAGE,
    NODE,
    OTHER_WORKER,
    WORKER,
    a_desired_item,
    desired,
)

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.kernel.errors import Unavailable
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.worker import Power, container_name, network_name

NAME = container_name(WORKER)


ABSENT = a_desired_item(9, wanted=Wanted.ABSENT)


async def test_a_spawned_worker_runs_with_its_limits_labels_network_and_workspace() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(env={"COLOUR": "blue"}), whole=True))
        running = await listener.until_phase(Phase.RUNNING, 1)

    (container,), (network,) = await everything_on(node.runtime)
    assert (running.container_id, running.container_state) == (container.container_id, "running")
    assert running.setup is not None
    assert running.setup["phase"] == "ready"
    assert container.labels == {
        "spunto.node": NODE,
        "spunto.org": "org_00000000000000000000000000",
        "spunto.kind": "worker",
        "spunto.id": WORKER,
        "spunto.generation": "1",
    }
    assert (network.name, network.subnet) == (network_name(WORKER), "10.208.0.0/28")


async def test_a_quick_spawn_reports_only_its_end() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)

    assert listener.phases() == [Phase.RUNNING]


async def test_what_takes_its_time_is_reported_on_the_way() -> None:
    node = LivingNode(runtime=FakeRuntime(published=[IMAGE]))
    node.runtime.hold_pulls()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await node.while_time_passes(lambda: Phase.PULLING in listener.phases())
        node.runtime.release_pulls()
        await listener.until_phase(Phase.RUNNING, 1)

    assert listener.phases() == [Phase.PULLING, Phase.RUNNING]


async def test_stop_start_and_destroy_leave_nothing_behind() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        first = await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED)))
        stopped = await listener.until_phase(Phase.STOPPED, 2)
        runner.apply(desired(a_desired_item(3)))
        again = await listener.until_phase(Phase.RUNNING, 3)
        runner.apply(desired(ABSENT))
        gone = await listener.until_phase(Phase.ABSENT, 9)
        runner.forget([WORKER])

    assert stopped.exit_code == 143
    assert first.container_id == again.container_id
    assert (gone.container_id, gone.container_state) == (None, "not_found")
    assert await everything_on(node.runtime) == ([], [])
    assert node.journal.load() == []


async def test_a_rebuild_replaces_the_container() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        first = await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(a_desired_item(2, made_in=2)))
        second = await listener.until_phase(Phase.RUNNING, 2)

    (container,), _ = await everything_on(node.runtime)
    assert first.container_id != second.container_id == container.container_id


async def test_destroying_breaks_a_pull_off() -> None:
    node = LivingNode(runtime=FakeRuntime(published=[IMAGE]))
    node.runtime.hold_pulls()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await node.runtime.pull_begun.wait()
        runner.apply(desired(ABSENT))
        await listener.until_phase(Phase.ABSENT, 9)

    assert await everything_on(node.runtime) == ([], [])


async def test_a_stale_desire_changes_nothing_and_is_answered_by_what_stands() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(3)))
        await listener.until_phase(Phase.RUNNING, 3)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED), a_desired_item(3, power=Power.STOPPED)))
        runner.apply(desired(a_desired_item(1, subject_id=OTHER_WORKER)))
        await listener.until_phase(Phase.RUNNING, 1, OTHER_WORKER)

    assert [(item.phase, item.generation) for item in listener.heard if item.id == WORKER] == 2 * [(Phase.RUNNING, 3)]


async def test_a_whole_set_in_parts_lets_go_only_after_the_last() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        for subject_id in (WORKER, OTHER_WORKER):
            runner.apply(desired(a_desired_item(subject_id=subject_id)))
            await listener.until_phase(Phase.RUNNING, 1, subject_id)
        runner.apply(desired(a_desired_item(), whole=True, more=True))
        runner.apply(desired(a_desired_item(subject_id=OTHER_WORKER), whole=True))

    assert len(node.journal.load()) == 2


async def test_an_absence_that_is_not_reached_is_not_forgotten() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.forget([WORKER, "wkr_unknown"])

        assert runner.standing(WORKER) is not None


async def test_nobody_reaches_into_what_is_to_be_gone() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(ABSENT))

        assert runner.standing(WORKER) is None


async def test_a_new_connection_is_told_everything() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        heard = list(listener.heard)
        runner.detach(listener)
        listener.heard.clear()
        runner.attach(listener)

        assert listener.heard == heard


async def test_a_connection_that_breaks_while_it_is_told_costs_nothing() -> None:
    class Broken:
        def observed(self, items: Sequence[object]) -> None:
            raise Unavailable("connection_lost", "gone")

        def inventory(self, items: Sequence[object], *, engine: object, disk: object, sampled_at: object) -> None:
            raise Unavailable("connection_lost", "gone")

    node = LivingNode()
    async with node.running(attached=False) as (runner, listener):
        runner.attach(Broken())
        runner.apply(desired(a_desired_item()))
        await node.while_time_passes(lambda: runner.standing(WORKER))
        runner.attach(listener)
        await listener.until_phase(Phase.RUNNING, 1)


async def test_a_stop_breaks_a_setup_off_and_the_worker_says_so() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1, post_create_command="sleep 1000")))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED, post_create_command="sleep 1000")))
        stopped = await listener.until_phase(Phase.STOPPED, 2)

    assert stopped.setup is not None
    assert (stopped.setup["phase"], stopped.setup["postCreate"]["exitCode"]) == ("error", None)


async def test_setup_runs_in_the_workspace_and_its_status_stands_in_the_container() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(post_create_command="pwd", post_start_command="exit 3")))
        await listener.until(lambda: listener.heard and (listener.heard[-1].setup or {}).get("phase") == "error")
        setup = listener.heard[-1].setup
        written = node.runtime._containers[NAME].files
        await node.while_time_passes(lambda: written.read("/tmp/mp-status.json") == orjson.dumps(setup))

    assert setup is not None
    assert setup["postCreate"] == {"exitCode": 0, "outputTail": "/workspace\n"}
    assert setup["postStart"] == {"exitCode": 3, "outputTail": ""}
    assert listener.phases() == [Phase.RUNNING] * 3


async def test_a_superseded_agent_begins_nothing_until_it_is_told_everything_anew() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        await node.while_time_passes(lambda: listener.inventories)
        runner.stand_down()
        runner.apply(desired(a_desired_item()))
        listener.inventories.clear()
        await node.while_time_passes(lambda: len(listener.inventories) > 1)
        nothing = await everything_on(node.runtime)
        runner.apply(desired(a_desired_item(), whole=True))
        await listener.until_phase(Phase.RUNNING, 1)

    assert nothing == ([], [])
