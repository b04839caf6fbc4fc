"""What a subject may take of its node's disk, and what happens when it takes more."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.executor.living_node import Listener, LivingNode
from tests.unit.core.executor.node_values import a_container, a_desired_item, an_item, desired
from tests.unit.core.executor.worker_steps import NAME, phase, step

from spunto.core.executor.actions import Stop
from spunto.core.executor.disk import FILE_BYTES, GRACE_BYTES, GRACE_SECONDS, DiskSpace, DiskUse, Stay, objection
from spunto.core.executor.ledger import Ledger, ledger_from_json, ledger_to_json
from spunto.core.executor.policy import Limits, Policy
from spunto.core.executor.runner import NodeRunner
from spunto.core.executor.runtime import ContainerState, DiskNotMeasured
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import DiskReport, Phase, Wanted

GIB = 1024**3
LIMIT = 20 * GIB
KIB = 1024
RUN_1 = Ledger(ran_generation=1)
PROBLEM = Problem(code="disk_limit_exceeded", message="It takes too much.")
HALTED = RUN_1.halted(1, PROBLEM)
SMALL = {"policy": Policy(limits={"worker": Limits(max_disk_bytes=100 * KIB)})}


def a_stay(**fields: Any) -> Stay:
    return replace(Stay(first_bytes=0, seconds=30.0, was_stopped=False), **fields)


@pytest.mark.parametrize(
    ("use", "stay", "is_stopped"),
    [
        (DiskUse(container_bytes=LIMIT, volume_bytes=0), a_stay(), False),
        (DiskUse(container_bytes=0, volume_bytes=LIMIT), a_stay(), False),
        (DiskUse(container_bytes=1, volume_bytes=LIMIT), a_stay(), True),
        # Who was never stopped does not know of it yet, however much there was at the first look.
        (DiskUse(container_bytes=0, volume_bytes=2 * LIMIT), a_stay(first_bytes=2 * LIMIT), True),
        (DiskUse(container_bytes=0, volume_bytes=2 * LIMIT), a_stay(first_bytes=2 * LIMIT, was_stopped=True), False),
        (
            DiskUse(container_bytes=GRACE_BYTES, volume_bytes=2 * LIMIT),
            a_stay(first_bytes=2 * LIMIT, was_stopped=True),
            False,
        ),
        (
            DiskUse(container_bytes=GRACE_BYTES + 1, volume_bytes=2 * LIMIT),
            a_stay(first_bytes=2 * LIMIT, was_stopped=True),
            True,
        ),
        (
            DiskUse(container_bytes=0, volume_bytes=2 * LIMIT),
            a_stay(first_bytes=2 * LIMIT, was_stopped=True, seconds=GRACE_SECONDS),
            True,
        ),
        # However small files are, a disk has room for so many only.
        (DiskUse(container_bytes=0, volume_bytes=0, volume_files=LIMIT // FILE_BYTES), a_stay(), False),
        (DiskUse(container_bytes=0, volume_bytes=0, container_files=LIMIT // FILE_BYTES + 1), a_stay(), True),
        # It was back within the limit, and has outgrown it once more.
        (DiskUse(container_bytes=2, volume_bytes=LIMIT), a_stay(first_bytes=LIMIT, was_stopped=True), True),
    ],
)
def test_what_takes_more_than_the_limit_is_stopped_unless_it_is_being_cleared_up(
    use: DiskUse, stay: Stay, is_stopped: bool
) -> None:
    problem = objection(use, stay, limit_bytes=LIMIT)

    assert (problem is not None) is is_stopped


def test_the_reason_has_the_figures_and_the_ways_out_that_help() -> None:
    in_container = objection(DiskUse(container_bytes=21 * GIB, volume_bytes=GIB), a_stay(), limit_bytes=LIMIT)
    in_volumes = objection(DiskUse(container_bytes=0, volume_bytes=21 * GIB), a_stay(), limit_bytes=LIMIT)

    assert in_container == Problem(
        code="disk_limit_exceeded",
        message="It was stopped because it takes 22 GiB of its node's disk, 1 GiB of that in volumes such as "
        "/workspace, and 20 GiB is the most there: start it and delete within 10 minutes what it does not need, or "
        "rebuild it, which keeps /workspace and drops the rest, or have the node's owner allow more than 20 GiB.",
    )
    assert in_volumes is not None
    assert "rebuild" not in in_volumes.message


def test_the_reason_tells_too_many_files_from_too_many_bytes() -> None:
    problem = objection(
        DiskUse(container_bytes=GIB, volume_bytes=GIB, container_files=6_000_000, volume_files=5),
        a_stay(),
        limit_bytes=LIMIT,
    )

    assert problem is not None
    assert "it has 6000005 files, 5 of them in volumes such as /workspace, and 5242880 is the most" in problem.message
    assert "rebuild it" in problem.message


@pytest.mark.parametrize(
    ("total", "wanted", "reserve"), [(10 * GIB, None, GIB // 2), (500 * GIB, None, 2 * GIB), (10 * GIB, 0, 0)]
)
def test_a_part_of_the_disk_is_left_to_the_machine(total: int, wanted: int | None, reserve: int) -> None:
    assert DiskSpace(total_bytes=total, free_bytes=0).reserve_bytes(wanted) == reserve


@given(frees=st.lists(st.integers(0, 20), min_size=1))
def test_the_server_always_knows_whether_the_reserve_is_touched(frees: list[int]) -> None:
    told: DiskSpace | None = None
    for free in frees:
        space = DiskSpace(total_bytes=100 * GIB, free_bytes=free * GIB // 4)
        if space.is_news_after(told, reserve_bytes=2 * GIB):
            told = space
        assert told is not None
        # Whole again by less than a tenth may be kept to oneself; touched never is.
        assert told.free_bytes < 2 * GIB or space.free_bytes >= 2 * GIB
        assert told.free_bytes >= 2 * GIB or space.free_bytes < 2.2 * GIB


@pytest.mark.parametrize(("free", "is_short"), [(50, False), (49, True)])
def test_a_disk_without_room_for_files_is_short(free: int, is_short: bool) -> None:
    told = DiskSpace(total_bytes=GIB, free_bytes=GIB, total_files=1000, free_files=51)
    space = replace(told, free_files=free)

    assert (space.is_short(0), space.is_news_after(told, reserve_bytes=0)) == (is_short, is_short)


def test_a_disk_that_hardly_changes_is_told_once() -> None:
    told = DiskSpace(total_bytes=100 * GIB, free_bytes=50 * GIB)
    moved = replace(told, free_bytes=told.free_bytes - GIB + 1)

    assert not moved.is_news_after(told, reserve_bytes=2 * GIB)
    assert replace(told, free_bytes=told.free_bytes - GIB).is_news_after(told, reserve_bytes=2 * GIB)


def test_what_is_halted_is_stopped_and_not_started_again_in_its_generation() -> None:
    running, exited = a_container(), a_container(ContainerState.EXITED, exit_code=137)

    assert (step(an_item(1), running, HALTED), step(an_item(1), exited, HALTED)) == (Stop(name=NAME), None)
    assert phase(an_item(1), running, HALTED) == (Phase.STOPPING, PROBLEM)
    assert phase(an_item(1), exited, HALTED) == (Phase.STOPPED, PROBLEM)
    assert phase(an_item(2), exited, HALTED)[0] is Phase.STARTING
    assert phase(an_item(2, wanted=Wanted.ABSENT), exited, HALTED)[0] is Phase.REMOVING


def test_a_ledger_says_no_more_than_agents_of_before_understand_unless_it_must() -> None:
    assert "haltedIn" not in ledger_to_json(RUN_1)
    assert ledger_from_json(ledger_to_json(HALTED)) == HALTED


async def put(node: LivingNode, kibibytes: int, path: str = "/workspace/big") -> None:
    await node.runtime.put_file(NAME, path, bytes(kibibytes * KIB))


async def begun(runner: NodeRunner, listener: Listener, generation: int = 1) -> None:
    runner.apply(desired(a_desired_item(generation)))
    await listener.until_phase(Phase.RUNNING, generation)


async def minutes(node: LivingNode, count: int) -> None:
    end = node.clock.monotonic() + 60 * count
    await node.while_time_passes(lambda: node.clock.monotonic() >= end)


async def test_a_worker_that_takes_too_much_is_stopped_with_the_reason() -> None:
    node = LivingNode(settings=SMALL)
    async with node.running() as (runner, listener):
        await begun(runner, listener)
        await put(node, 60)
        await put(node, 50, "/var/other")
        await node.while_time_passes(lambda: listener.phases()[-1] is Phase.STOPPED)

        stopped = await listener.until_phase(Phase.STOPPED, 1)

    assert stopped.error is not None
    assert stopped.error.code == "disk_limit_exceeded"
    assert "60 KiB of that in volumes such as /workspace, and 100 KiB is the most" in stopped.error.message


async def test_the_reason_is_known_after_a_crash_of_the_agent() -> None:
    node = LivingNode(settings=SMALL)
    async with node.running() as (runner, listener):
        await begun(runner, listener)
        await put(node, 101)
        await node.while_time_passes(lambda: listener.phases()[-1] is Phase.STOPPED)
    async with node.running() as (_, listener):
        stopped = await listener.until_phase(Phase.STOPPED, 1)

    assert stopped.error is not None
    assert stopped.error.code == "disk_limit_exceeded"


async def test_a_set_up_that_fills_the_disk_is_broken_off() -> None:
    node = LivingNode(settings=SMALL)
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(post_create_command="sleep 1000")))
        await listener.until_phase(Phase.RUNNING, 1)
        await put(node, 101)
        await node.while_time_passes(lambda: listener.phases()[-1] is Phase.STOPPED)

        stopped = await listener.until_phase(Phase.STOPPED, 1)

    assert stopped.error is not None
    assert stopped.error.code == "disk_limit_exceeded"
    assert stopped.setup is not None
    assert "was interrupted" in stopped.setup["error"]


async def test_a_start_gives_time_to_delete_and_no_more_room() -> None:
    node = LivingNode(settings=SMALL)
    async with node.running() as (runner, listener):
        await begun(runner, listener)
        await put(node, 101)
        await node.while_time_passes(lambda: listener.phases()[-1] is Phase.STOPPED)

        await begun(runner, listener, generation=2)
        await minutes(node, 5)
        while_clearing = listener.phases()[-1]
        await minutes(node, 8)
        too_late = listener.phases()[-1]
        await begun(runner, listener, generation=3)
        await put(node, 10)
        await minutes(node, 12)
        cleared = listener.phases()[-1]

    assert (while_clearing, too_late, cleared) == (Phase.RUNNING, Phase.STOPPED, Phase.RUNNING)


async def test_what_can_not_be_measured_now_is_left_alone_and_measured_later() -> None:
    node = LivingNode(settings=SMALL)
    async with node.running() as (runner, listener):
        await begun(runner, listener)
        await put(node, 101)
        node.runtime.fail_next("disk_use", DiskNotMeasured(NAME, "it took too long"))
        await node.while_time_passes(lambda: "disk_not_measured" in node.events)
        await minutes(node, 0)
        unmeasured = listener.phases()[-1]
        await node.while_time_passes(lambda: listener.phases()[-1] is Phase.STOPPED)

    assert unmeasured is Phase.RUNNING


async def test_a_disk_that_fills_is_looked_at_without_waiting_for_the_time() -> None:
    node = LivingNode(settings={**SMALL, "disk_glance_seconds": 2.0})
    async with node.running() as (runner, listener):
        await begun(runner, listener)
        await node.while_time_passes(lambda: node.clock.monotonic() >= 61)
        await put(node, 101)
        assert node.runtime.disk is not None
        node.runtime.disk = replace(node.runtime.disk, free_bytes=node.runtime.disk.free_bytes - GIB)
        begin = node.clock.monotonic()
        await node.while_time_passes(lambda: listener.phases()[-1] is Phase.STOPPED)

    assert node.clock.monotonic() - begin < 10


async def test_the_disk_is_told_with_the_inventory_and_when_it_gets_short() -> None:
    node = LivingNode(settings={"disk_reserve_bytes": 5 * GIB})
    async with node.running() as (runner, listener):
        await listener.until(lambda: listener.disks and listener.disks[-1])
        node.runtime.disk = DiskSpace(total_bytes=256 * GIB, free_bytes=4 * GIB)
        await node.while_time_passes(lambda: "disk_short" in node.events)

        short = DiskReport(total_bytes=256 * GIB, free_bytes=4 * GIB, reserve_bytes=5 * GIB)
        assert (listener.disks[-1], runner.hello().resources.disk) == (short, short)


async def test_a_node_whose_disk_can_not_be_looked_at_says_nothing_of_it() -> None:
    node = LivingNode()
    node.runtime.disk = None
    async with node.running() as (runner, listener):
        await begun(runner, listener)

        assert (runner.hello().resources.disk, listener.disks[-1]) == (None, None)
