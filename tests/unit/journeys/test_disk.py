"""A node whose disk gets short, as people and placement see it."""

from dataclasses import replace

import pytest
from tests.unit.journeys.steps import a_ready_worker, a_worker

from spunto.client.nodes import Disk as ShownDisk
from spunto.core.executor.disk import DiskSpace
from spunto.core.kernel.errors import Conflict
from spunto.core.nodes.introduction import agent_of
from spunto.core.nodes.model import Disk, Node
from spunto.core.protocol.messages import DiskReport, EngineReport, Hello, Resources
from spunto.core.workers.model import WorkerState as S
from spunto.entrypoints.cli.nodes import node_fields
from spunto.testing.harness import Harness
from spunto.testing.node import GIB, SimulatedNode

FULL = DiskSpace(total_bytes=100 * GIB, free_bytes=GIB)


async def node_of(harness: Harness, node: SimulatedNode) -> Node:
    return await harness.spunto.nodes.get(harness.owner, harness.organization.id, node.id)


async def test_a_node_whose_disk_is_short_gets_nothing_new_and_says_why(harness: Harness) -> None:
    node = await harness.add_node("one")
    node.engine.disk = FULL
    await harness.advance(61)

    with pytest.raises(Conflict, match="one has 1 GiB of disk free, and keeps 2 GiB for itself"):
        await a_worker(harness)

    shown = (await node_of(harness, node)).agent
    assert shown is not None
    assert shown.disk == Disk(total_bytes=100 * GIB, free_bytes=GIB, reserve_bytes=2 * GIB)


async def test_a_node_whose_disk_has_room_for_few_files_gets_nothing_new(harness: Harness) -> None:
    node = await harness.add_node("one")
    node.engine.disk = DiskSpace(total_bytes=100 * GIB, free_bytes=50 * GIB, total_files=1000, free_files=9)
    await harness.advance(61)

    with pytest.raises(Conflict, match="one has room for 9 files on its disk, and keeps 50 for itself"):
        await a_worker(harness)


async def test_the_api_and_the_command_line_show_the_disk(harness: Harness) -> None:
    node = await harness.add_node("one")
    async with harness.client() as client:
        roomy = await client.nodes.get(harness.organization.id, node.id)
        node.engine.disk = FULL
        await harness.advance(61)
        short = await client.nodes.get(harness.organization.id, node.id)

    assert short.disk == ShownDisk(total_bytes=100 * GIB, free_bytes=GIB, reserve_bytes=2 * GIB)
    assert dict(node_fields(roomy))["disk"] == "200 GiB of 256 GiB free (2 GiB kept for the machine)"
    assert dict(node_fields(short))["disk"].endswith("(2 GiB kept for the machine; takes no new workers)")


async def test_a_node_with_room_is_preferred_to_one_whose_disk_is_short(harness: Harness) -> None:
    short, _ = await harness.add_node("short", cpus=8), await harness.add_node("roomy", cpus=1)
    short.engine.disk = FULL
    await harness.advance(61)

    worker = await a_ready_worker(harness)

    assert (await worker.get()).node_id == harness.nodes["roomy"].id


async def test_what_stands_on_a_short_disk_runs_on_stops_and_starts(harness: Harness) -> None:
    node = await harness.add_node("one")
    runs_on, stopped = await a_ready_worker(harness), await a_ready_worker(harness, "other")
    await stopped.stop()
    node.engine.disk = FULL
    await harness.advance(61)

    await stopped.start()
    await harness.settle()

    assert (await runs_on.state(), await stopped.state()) == (S.READY, S.READY)


async def test_a_disk_with_room_again_takes_workers_again(harness: Harness) -> None:
    node = await harness.add_node("one")
    node.engine.disk = FULL
    await harness.advance(61)
    node.engine.disk = replace(FULL, free_bytes=3 * GIB)
    await harness.advance(61)

    await a_ready_worker(harness)


def test_an_agent_s_first_word_tells_of_its_disk() -> None:
    report = DiskReport(total_bytes=9, free_bytes=8, reserve_bytes=7, total_files=6, free_files=5, reserve_files=4)
    hello = Hello(
        agent_version="1",
        instance_id="i",
        boot_id="b",
        engine=EngineReport(name="docker", version="20"),
        resources=Resources(cpu_millis=1, memory_bytes=1, max_worker_cpu_millis=1, disk=report),
    )

    known = agent_of(hello).disk

    assert known == Disk(total_bytes=9, free_bytes=8, reserve_bytes=7, total_files=6, free_files=5, reserve_files=4)


async def test_a_node_that_comes_back_with_a_short_disk_gets_nothing_from_the_start(harness: Harness) -> None:
    node = await harness.add_node("one")
    node.engine.disk = FULL
    node.restart_agent()
    await harness.advance(2)

    with pytest.raises(Conflict, match="of disk free"):
        await a_worker(harness)
