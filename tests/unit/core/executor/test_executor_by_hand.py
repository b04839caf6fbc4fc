"""Containers that end at once, and what people do to containers on the machine itself."""

from typing import Any

import pytest
from tests.unit.core.executor.living_node import Listener, LivingNode
from tests.unit.core.executor.node_values import IMAGE, WORKER, a_desired_item, desired

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.journal import MemoryJournal
from spunto.core.executor.runner import NodeRunner
from spunto.core.executor.runtime import Container, ContainerSpec, ContainerState
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.names import GENERATION_LABEL
from spunto.core.specs.worker import Power, container_name, kept_name

NAME = container_name(WORKER)
MOVED = f"{NAME}-moved"


class Entering(FakeRuntime):
    """Its image's entrypoint is a command of the fake shell; it may take some time of the clock before it ends."""

    def __init__(self, entrypoint: str, **fields: Any) -> None:
        super().__init__(images=[IMAGE], **fields)
        self._entrypoint = entrypoint

        self.starts = 0

    async def start_container(self, name: str) -> None:
        await super().start_container(name)
        self.starts += 1

    async def create_container(self, spec: ContainerSpec) -> Container:
        container = await super().create_container(spec)
        self._containers[spec.name].main_command = ("sh", "-c", self._entrypoint)
        return container


async def test_an_entrypoint_that_ends_at_once_is_told_as_ended_and_never_as_running() -> None:
    runtime = Entering("exit 3")
    node = LivingNode(runtime=runtime)
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(post_create_command="true")))
        ended = await listener.until_phase(Phase.STOPPED, 1)
        runner.apply(desired(a_desired_item(2, post_create_command="true")))
        again = await listener.until_phase(Phase.STOPPED, 2)
        runner.apply(desired(a_desired_item(3, made_in=3, post_create_command="true")))
        anew = await listener.until_phase(Phase.STOPPED, 3)

    assert (ended.exit_code, again.exit_code, anew.exit_code) == (3, 3, 3)
    assert runtime.starts == 3
    assert Phase.RUNNING not in listener.phases()


async def test_what_ends_a_moment_after_its_start_is_told_as_ended_and_never_as_running() -> None:
    node = LivingNode(settings={"lasting_seconds": 1.0})
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await node.while_time_passes(lambda: node.runtime._containers.get(NAME) and node.clock.monotonic() > 0.2)
        await node.runtime.exit_container(NAME, 1)
        await node.while_time_passes(lambda: Phase.STOPPED in listener.phases())

    assert listener.phases()[-1] is Phase.STOPPED
    assert Phase.RUNNING not in listener.phases()


async def test_what_has_lasted_once_is_believed_at_once() -> None:
    node = LivingNode(settings={"lasting_seconds": 1.0})
    one, other = "wkr_00000000000000000000000001", "wkr_00000000000000000000000002"
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(subject_id=one)))
        await node.while_time_passes(lambda: Phase.RUNNING in listener.phases(one))
        before = node.clock.monotonic()
        runner.apply(desired(a_desired_item(subject_id=other)))
        await listener.until_phase(Phase.RUNNING, 1, other)

    assert node.clock.monotonic() == before


async def test_what_ended_at_once_owes_its_setup_when_it_is_started_by_hand() -> None:
    runtime = Entering("exit 3")
    node = LivingNode(runtime=runtime)
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(post_create_command="echo made")))
        await listener.until_phase(Phase.STOPPED, 1)
        runtime._containers[NAME].main_command = ("sleep", "infinity")
        await runtime.start_container(NAME)
        await listener.until(lambda: (listener.heard[-1].setup or {}).get("phase") == "ready")

    setup = listener.heard[-1].setup
    assert setup is not None
    assert setup["postCreate"] == {"exitCode": 0, "outputTail": "made\n"}


async def test_a_container_that_is_restarted_by_hand_runs_in_the_same_generation() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        await node.runtime.exit_container(NAME, 143)
        await listener.until_phase(Phase.STOPPED, 1)
        await node.runtime.start_container(NAME)
        await listener.until_phase(Phase.RUNNING, 1)


@pytest.mark.parametrize("journal_is_kept", [True, False])
async def test_a_renamed_container_is_found_by_its_labels_and_removed(journal_is_kept: bool) -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        node.runtime.rename_by_hand(NAME, MOVED)
        if journal_is_kept:
            await node.while_time_passes(lambda: (found := runner.standing(WORKER)) and found.name == MOVED)
            assert listener.phases()[-1] is Phase.RUNNING
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(2, wanted=Wanted.ABSENT), whole=True))
        await node.while_time_passes(lambda: listener.phases() and listener.phases()[-1] is Phase.ABSENT)

    assert node.runtime._containers == {}
    assert await node.runtime.list_networks() == []


async def test_a_renamed_container_is_stopped_and_started() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        node.runtime.rename_by_hand(NAME, MOVED)
        await node.while_time_passes(lambda: (found := runner.standing(WORKER)) and found.name == MOVED)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED)))
        await listener.until_phase(Phase.STOPPED, 2)
        stopped = node.runtime._containers[MOVED].state
        runner.apply(desired(a_desired_item(3)))
        await listener.until_phase(Phase.RUNNING, 3)

    assert stopped is ContainerState.EXITED
    assert list(node.runtime._containers) == [MOVED]


async def test_a_command_that_asks_finds_the_end_of_its_input() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(post_create_command="echo what now; read answer")))
        await listener.until(lambda: listener.heard and (listener.heard[-1].setup or {}).get("phase") == "error")

    setup = listener.heard[-1].setup
    assert setup is not None
    assert setup["postCreate"] == {"exitCode": 1, "outputTail": "what now\n"}


async def test_what_a_command_said_is_kept_where_it_ran_out_of_time() -> None:
    node = LivingNode(settings={"setup_seconds": 0.05})
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(post_create_command="echo so far; sleep 1000")))
        await listener.until(lambda: listener.heard and (listener.heard[-1].setup or {}).get("phase") == "error")

    setup = listener.heard[-1].setup
    assert setup is not None
    assert setup["postCreate"] == {"exitCode": None, "outputTail": "so far\n"}
    assert setup["error"].startswith("postCreateCommand did not end within 0.05 s;")


async def put_aside(node: LivingNode, runner: NodeRunner, listener: Listener) -> str:
    """A worker whose container was put aside for one that is still pulled; tells the container's id."""
    runner.apply(desired(a_desired_item()))
    await listener.until_phase(Phase.RUNNING, 1)
    old = node.runtime._containers[NAME].container_id
    node.runtime.hold_pulls()
    runner.apply(desired(a_desired_item(2, made_in=2, keeps=1, image="slow:1")))
    await node.while_time_passes(node.runtime.pull_begun.is_set)
    assert list(node.runtime._containers) == [kept_name(WORKER)]
    return old


async def test_a_renamed_container_is_rebuilt() -> None:
    node = LivingNode(runtime=FakeRuntime(images=[IMAGE], published=["slow:1"]))
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        node.runtime.rename_by_hand(NAME, MOVED)
        runner.apply(desired(a_desired_item(2, made_in=2, keeps=1)))
        await listener.until_phase(Phase.RUNNING, 2)
        await node.while_time_passes(lambda: list(node.runtime._containers) == [NAME])

    assert node.runtime._containers[NAME].spec.labels[GENERATION_LABEL] == "2"


async def test_what_a_rebuild_made_is_found_under_another_name() -> None:
    node = LivingNode(runtime=FakeRuntime(images=[IMAGE], published=["slow:1"]))
    async with node.running() as (runner, listener):
        await put_aside(node, runner, listener)
        node.runtime.release_pulls()
        await listener.until_phase(Phase.RUNNING, 2)
        node.runtime.rename_by_hand(NAME, MOVED)
        await node.while_time_passes(lambda: (found := runner.standing(WORKER)) and found.name == MOVED)
        runner.apply(desired(a_desired_item(3, made_in=3, keeps=2)))
        await listener.until_phase(Phase.RUNNING, 3)
        await node.while_time_passes(lambda: list(node.runtime._containers) == [NAME])


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("comes_late", [False, True])
async def test_a_renamed_container_of_before_a_rebuild_is_gone_after_it(comes_late: bool, is_killed: bool) -> None:
    node = LivingNode(runtime=FakeRuntime(images=[IMAGE], published=["slow:1"]))
    async with node.running() as (runner, listener):
        await put_aside(node, runner, listener)
        node.runtime.rename_by_hand(kept_name(WORKER), MOVED)
        if comes_late:
            node.runtime.release_pulls()
            await listener.until_phase(Phase.RUNNING, 2)
        if not is_killed:
            node.runtime.release_pulls()
            await node.while_time_passes(lambda: list(node.runtime._containers) == [NAME])
    if is_killed:
        node.runtime.release_pulls()
        async with node.running():
            await node.while_time_passes(lambda: list(node.runtime._containers) == [NAME])


async def test_a_renamed_container_of_before_a_rebuild_is_the_way_back() -> None:
    node = LivingNode(runtime=FakeRuntime(images=[IMAGE], published=["slow:1"]))
    async with node.running() as (runner, listener):
        old = await put_aside(node, runner, listener)
        node.runtime.rename_by_hand(kept_name(WORKER), MOVED)
        runner.apply(desired(a_desired_item(3)))
        await listener.until_phase(Phase.RUNNING, 3)

    assert [each.container_id for each in node.runtime._containers.values()] == [old]


@pytest.mark.parametrize("is_created", [False, True])
async def test_a_worker_destroyed_in_a_rebuild_leaves_nothing_under_another_name(is_created: bool) -> None:
    node = LivingNode(runtime=FakeRuntime(images=[IMAGE], published=["slow:1"]))
    async with node.running() as (runner, listener):
        await put_aside(node, runner, listener)
        node.runtime.rename_by_hand(kept_name(WORKER), MOVED)
        if is_created:
            node.runtime.release_pulls()
            await listener.until_phase(Phase.RUNNING, 2)
        runner.apply(desired(a_desired_item(3, wanted=Wanted.ABSENT)))
        await node.while_time_passes(lambda: listener.phases()[-1] is Phase.ABSENT)

    assert (node.runtime._containers, node.runtime._volumes) == ({}, {})
    assert await node.runtime.list_networks() == []


async def test_where_the_journal_is_lost_in_a_rebuild_the_container_before_is_the_way_back() -> None:
    node = LivingNode(runtime=FakeRuntime(images=[IMAGE], published=["slow:1"]))
    async with node.running() as (runner, listener):
        old = await put_aside(node, runner, listener)
    node.journal = MemoryJournal()
    async with node.running() as (runner, listener):
        await runner.inventory()
        runner.apply(desired(a_desired_item(3), whole=True))
        await listener.until_phase(Phase.RUNNING, 3)

    assert [each.container_id for each in node.runtime._containers.values()] == [old]


async def test_a_worker_stopped_in_a_rebuild_runs_nothing_and_starts_the_new_one() -> None:
    node = LivingNode(runtime=FakeRuntime(images=[IMAGE], published=["slow:1"]))
    async with node.running() as (runner, listener):
        await put_aside(node, runner, listener)
        runner.apply(desired(a_desired_item(3, made_in=2, keeps=1, image="slow:1", power=Power.STOPPED)))
        await listener.until_phase(Phase.STOPPED, 3)
        running = [each for each in node.runtime._containers.values() if each.state is ContainerState.RUNNING]
        node.runtime.release_pulls()
        runner.apply(desired(a_desired_item(4, made_in=2, keeps=1, image="slow:1")))
        await listener.until_phase(Phase.RUNNING, 4)
        await node.while_time_passes(lambda: list(node.runtime._containers) == [NAME])

    assert running == []
