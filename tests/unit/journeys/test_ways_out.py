"""Whatever a worker's error advises leads out of it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from tests.unit.journeys.steps import Subject, a_ready_worker, a_worker

from spunto.core.executor.policy import Limits, Policy
from spunto.core.executor.runtime import ContainerSpec, EngineRefused
from spunto.core.workers.model import WorkerState
from spunto.testing.harness import Harness
from spunto.testing.node import DEFAULT_IMAGE, SimulatedNode

Trouble = Callable[[Harness, SimulatedNode], Awaitable[Subject]]
WayOut = Callable[[Subject, SimulatedNode], Awaitable[None]]
GIB = 1024**3
KIB = 1024
THEIRS = ContainerSpec(
    name="", image=DEFAULT_IMAGE, network="bridge", hostname="x", labels={}, cpu_millis=1, memory_bytes=GIB, pids=1
)


async def without_image(harness: Harness, _: SimulatedNode) -> Subject:
    return await a_worker(harness, image="nowhere:1")


async def refused(harness: Harness, node: SimulatedNode) -> Subject:
    node.engine.fail_next("create_container", EngineRefused("no such device"))
    return await a_worker(harness)


async def lost(harness: Harness, node: SimulatedNode) -> Subject:
    worker = await a_ready_worker(harness)
    await node.remove_by_hand(worker.id)
    return worker


async def without_memory(harness: Harness, node: SimulatedNode) -> Subject:
    worker = await a_ready_worker(harness)
    await node.engine.exit_container(worker.container, 137, oom_killed=True)
    return worker


async def with_a_full_workspace(harness: Harness, node: SimulatedNode) -> Subject:
    worker = await a_ready_worker(harness)
    await fill(worker, node, "/workspace/big")
    await harness.advance(61)
    return worker


async def with_much_outside_its_workspace(harness: Harness, node: SimulatedNode) -> Subject:
    worker = await a_ready_worker(harness)
    await fill(worker, node, "/var/big")
    await harness.advance(61)
    return worker


async def fill(worker: Subject, node: SimulatedNode, path: str, size_bytes: int = 200 * KIB) -> None:
    await node.engine.put_file(worker.container, path, bytes(size_bytes))


async def ended(harness: Harness, node: SimulatedNode) -> Subject:
    worker = await a_ready_worker(harness)
    await node.engine.exit_container(worker.container, 3)
    return worker


async def with_its_name_taken(harness: Harness, node: SimulatedNode) -> Subject:
    worker = await a_ready_worker(harness)
    await node.remove_by_hand(worker.id)
    await harness.settle()
    await node.engine.create_container(replace(THEIRS, name=worker.container))
    await worker.start()
    return worker


async def start(worker: Subject, _: SimulatedNode) -> None:
    await worker.start()


async def load_and_start(worker: Subject, node: SimulatedNode) -> None:
    node.engine.images.add("nowhere:1")
    await worker.start()


async def remove_theirs_and_start(worker: Subject, node: SimulatedNode) -> None:
    await node.engine.remove_by_hand(worker.container)
    await worker.start()


async def rename_theirs_and_start(worker: Subject, node: SimulatedNode) -> None:
    node.engine.rename_by_hand(worker.container, "theirs")
    await worker.start()


async def correct_and_rebuild(worker: Subject, _: SimulatedNode) -> None:
    await worker.change(image=DEFAULT_IMAGE, memory_bytes=2 * GIB)
    await worker.rebuild()


async def start_and_delete(worker: Subject, node: SimulatedNode) -> None:
    await worker.start()
    await worker.harness.advance(300)
    await fill(worker, node, "/workspace/big", 0)
    await worker.harness.advance(1200)


async def just_rebuild(worker: Subject, _: SimulatedNode) -> None:
    await worker.rebuild()
    await worker.harness.advance(1200)


async def allow_more_and_start(worker: Subject, node: SimulatedNode) -> None:
    node.policy = Policy(limits={"worker": Limits(max_disk_bytes=300 * KIB)})
    node.restart_agent()
    await worker.harness.advance(2)
    await worker.start()
    await worker.harness.advance(1200)


@pytest.mark.parametrize(
    ("trouble", "code", "advice", "way_out"),
    [
        (without_image, "image_not_found", "Load it on the node and start", load_and_start),
        (without_image, "image_not_found", "correct the image's name and rebuild", correct_and_rebuild),
        (refused, "engine_refused", "Mend that on the node and start", start),
        (refused, "engine_refused", "where it was asked for and rebuild", correct_and_rebuild),
        (with_its_name_taken, "container_name_taken", "Remove or rename that container", remove_theirs_and_start),
        (with_its_name_taken, "container_name_taken", "Remove or rename that container", rename_theirs_and_start),
        (lost, "container_lost", "starting the worker makes it anew", start),
        (without_memory, "out_of_memory", "give the project more and rebuild it", correct_and_rebuild),
        (with_a_full_workspace, "disk_limit_exceeded", "start it and delete within 10 minutes", start_and_delete),
        (with_much_outside_its_workspace, "disk_limit_exceeded", "rebuild it, which keeps", just_rebuild),
        (with_a_full_workspace, "disk_limit_exceeded", "have the node's owner allow more", allow_more_and_start),
        (ended, "worker_exited", "Start runs it again", start),
        (ended, "worker_exited", "correct the project and rebuild", correct_and_rebuild),
    ],
)
async def test_what_an_error_advises_leads_out_of_it(
    harness: Harness, trouble: Trouble, code: str, advice: str, way_out: WayOut
) -> None:
    node = await harness.add_node("one", policy=Policy(limits={"worker": Limits(max_disk_bytes=100 * KIB)}))
    worker = await trouble(harness, node)
    await harness.settle()
    problem = (await worker.get()).problem
    assert problem is not None
    assert (problem.code, advice in problem.message) == (code, True), problem.message

    await way_out(worker, node)
    await harness.settle()

    assert (await worker.state(), (await worker.get()).problem) == (WorkerState.READY, None)


async def test_a_failed_set_up_is_mended_by_a_rebuild(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await a_ready_worker(harness, post_create_command="false")
    setup = (await worker.get()).setup
    assert setup is not None
    assert "mend it and rebuild the worker" in setup["error"]

    await worker.change(post_create_command="true")
    await worker.rebuild()
    await harness.settle()

    mended = (await worker.get()).setup
    assert mended is not None
    assert (mended["phase"], mended["error"]) == ("ready", None)


async def test_what_took_too_long_is_started_again(harness: Harness) -> None:
    node = await harness.add_node("one", published=["slow:1"])
    node.engine.hold_pulls()
    worker = await a_worker(harness, image="slow:1")
    await harness.advance(15 * 60 + 1)
    code, advice = await worker.problem() or ("", "")
    assert (code, "start tries again" in advice) == ("deadline_passed", True)

    await worker.start()
    node.engine.release_pulls()
    await harness.settle()

    assert (await worker.state(), await worker.problem()) == (WorkerState.READY, None)


async def test_what_has_no_room_runs_once_another_worker_is_stopped(harness: Harness) -> None:
    node = await harness.add_node("one", cpus=1)
    worker = await a_ready_worker(harness)
    await node.engine.exit_container(worker.container, 143)
    await harness.settle()
    other = await a_ready_worker(harness, "other")
    await node.engine.start_container(worker.container)
    await harness.settle()
    code, advice = await worker.problem() or ("", "")
    assert (code, "Stop another worker of that node and start this one" in advice) == ("no_room", True)

    await other.stop()
    await harness.settle()
    await worker.start()
    await harness.settle()

    assert (await worker.state(), await worker.problem()) == (WorkerState.READY, None)
