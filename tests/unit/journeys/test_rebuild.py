"""A worker is made anew from its project's newest version, with its workspace and a way back until it is ready."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest
from tests.unit.journeys.steps import NOTHING, Subject, a_ready_worker, a_worker, is_clean, node_of, running

from spunto.core.executor.runtime import EngineEvent
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.secret import Secret
from spunto.core.specs.names import ID_LABEL
from spunto.core.specs.worker import kept_name
from spunto.core.workers.model import WorkerState
from spunto.core.workers.reach import ExecRequest
from spunto.testing.harness import Harness
from spunto.testing.node import SimulatedNode


async def done(worker: Subject, command: str) -> str:
    ran = await worker.harness.spunto.reach.exec(*worker.here, ExecRequest(command=["sh", "-c", command]))
    return ran.stdout.decode()


async def rebuilt(worker: Subject) -> None:
    await worker.rebuild()
    await worker.harness.settle()
    await worker.harness.advance(30)


@asynccontextmanager
async def heard(node: SimulatedNode, hear: Callable[[EngineEvent], Awaitable[None]]) -> AsyncIterator[None]:
    """Hears what happens on the node's engine as it happens."""

    async def listen() -> None:
        async with aclosing(node.engine.events(label=ID_LABEL)) as events:
            async for event in events:
                await hear(event)

    listening = asyncio.ensure_future(listen())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.wait([listening])


def images(node: SimulatedNode) -> list[str]:
    return [each.image for each in node.containers()]


async def test_it_runs_the_newest_version_with_the_workspace_it_had(harness: Harness) -> None:
    node = await harness.add_node("one", images=("first:1", "second:1"))
    worker = await a_ready_worker(harness, image="first:1", env={"A": "1"})
    await done(worker, "echo kept > /workspace/file")
    await worker.change(image="second:1", env={"A": "2"}, post_create_command="echo set-up")
    assert (await worker.view()).outdated

    await rebuilt(worker)

    view = await worker.view()
    assert (view.worker.state, view.worker.project_version, view.outdated) == (WorkerState.READY, 2, False)
    assert (await done(worker, "cat /workspace/file"), "A=2" in await done(worker, "printenv")) == ("kept\n", True)
    assert images(node) == ["second:1"]
    assert view.worker.problem is None
    assert view.worker.setup is not None
    assert view.worker.setup["postCreate"]["exitCode"] == 0


@pytest.mark.parametrize("broken", [{"image": "nowhere:1"}, {"cpu_millis": 2000, "image": "nowhere:1"}])
async def test_a_rebuild_that_fails_brings_the_old_container_back(harness: Harness, broken: dict[str, object]) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness, env={"A": "1"})
    before = (await worker.get()).container_id
    await worker.change(**broken)

    await rebuilt(worker)

    after = await worker.get()
    assert (after.state, after.container_id, after.project_version) == (WorkerState.READY, before, 1)
    assert after.problem is not None
    assert after.problem.code == "rebuild_failed"
    assert "nowhere:1" in after.problem.message
    assert running(node) == [worker.container]
    assert len(node.containers()) == 1

    await worker.stop()
    await harness.settle()
    await worker.start()
    await harness.settle()
    assert ((await worker.get()).problem, await worker.state()) == (None, WorkerState.READY)
    assert (await node_of(harness, node)).reserved.cpu_millis == 1000


async def test_a_stopped_worker_and_one_in_error_are_rebuilt_and_run(harness: Harness) -> None:
    node = await harness.add_node("one", images=("first:1", "second:1"))
    stopped = await a_ready_worker(harness, "one", image="first:1")
    await stopped.stop()
    failed = await a_worker(harness, "two", image="nowhere:1")
    await harness.settle()
    assert await failed.state() is WorkerState.ERROR

    for worker in (stopped, failed):
        await worker.change(image="second:1")
        await rebuilt(worker)

    assert (await stopped.state(), await failed.state()) == (WorkerState.READY, WorkerState.READY)
    assert images(node) == ["second:1", "second:1"]


async def test_a_stopped_worker_is_stopped_after_a_rebuild_that_fails(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness, env={"A": "1"})
    before = (await worker.get()).container_id
    await done(worker, "echo kept > /workspace/file")
    await worker.stop()
    await harness.settle()
    await worker.change(image="nowhere:1")

    await rebuilt(worker)

    after = await worker.get()
    assert (after.state, after.container_id, after.project_version) == (WorkerState.STOPPED, before, 1)
    assert (after.problem and after.problem.code, running(node)) == ("rebuild_failed", [])
    assert [each.name for each in node.containers()] == [worker.container]
    assert (await node_of(harness, node)).reserved == NOTHING

    await worker.start()
    await harness.settle()
    assert ((await worker.get()).problem, await done(worker, "cat /workspace/file")) == (None, "kept\n")


async def test_a_setup_that_fails_in_the_new_container_brings_the_old_one_back(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness, post_create_command="echo set-up", post_start_command="echo begun")
    before = (await worker.get()).container_id
    await done(worker, "echo kept > /workspace/file")
    await worker.change(post_create_command="echo broken; exit 7")

    await rebuilt(worker)

    after = await worker.get()
    assert (after.state, after.container_id, after.project_version) == (WorkerState.READY, before, 1)
    assert after.problem is not None
    assert (after.problem.code, "postCreateCommand ended with 7" in after.problem.message) == ("rebuild_failed", True)
    assert after.setup is not None
    assert after.setup["postCreate"] == {"exitCode": 7, "outputTail": "broken\n"}
    assert ([each.name for each in node.containers()], await done(worker, "cat /workspace/file")) == (
        [worker.container],
        "kept\n",
    )


async def test_a_setup_that_hangs_does_not_keep_the_next_rebuild_waiting(harness: Harness) -> None:
    node = await harness.add_node("one", images=("first:1", "second:1"))
    worker = await a_ready_worker(harness, image="first:1")
    await worker.change(image="second:1", post_create_command="sleep 1000")
    await worker.rebuild()
    await harness.settle()
    assert (await worker.state(), sorted(images(node))) == (WorkerState.STARTING, ["first:1", "second:1"])

    await worker.change(post_create_command="echo set-up")
    await worker.rebuild()
    await harness.settle()

    assert (await worker.state(), images(node), (await worker.get()).problem) == (
        WorkerState.READY,
        ["second:1"],
        None,
    )


async def test_never_two_of_one_worker_run(harness: Harness) -> None:
    node = await harness.add_node("one", images=("first:1", "second:1"))
    worker = await a_ready_worker(harness, image="first:1")
    await worker.change(image="second:1")
    actions = []

    async def note(event: EngineEvent) -> None:
        actions.append(event.action)

    async with heard(node, note):
        await rebuilt(worker)

    assert (actions, await worker.state()) == (["die", "rename", "create", "start", "destroy"], WorkerState.READY)


async def test_a_rebuild_of_a_rebuild_that_is_stuck_keeps_the_first_way_back(harness: Harness) -> None:
    node = await harness.add_node("one", images=("first:1",))
    worker = await a_ready_worker(harness, image="first:1")
    before = (await worker.get()).container_id
    node.engine.hold_pulls()
    await worker.change(image="slow:1")
    await worker.rebuild()
    await harness.settle()
    assert [each.name for each in node.containers()] == [kept_name(worker.id)]

    await worker.change(image="slower:1")
    await worker.rebuild()
    await harness.settle()
    node.engine.release_pulls()
    await harness.advance(60)

    after = await worker.get()
    assert (after.state, after.container_id, after.project_version) == (WorkerState.READY, before, 1)


async def test_a_rebuild_asks_for_consent_again(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await a_ready_worker(harness)
    await worker.change(secrets=("TOKEN",))

    with pytest.raises(Conflict) as caught:
        await worker.rebuild()
    assert caught.value.code == "grant_needed"

    await harness.spunto.secrets.put(harness.owner, name="TOKEN", value=Secret("sesame"))
    await rebuilt(worker)
    assert "TOKEN=sesame" in await done(worker, "printenv")


async def test_a_node_that_is_away_rebuilds_when_it_is_back(harness: Harness) -> None:
    node = await harness.add_node("one", images=("first:1", "second:1"))
    worker = await a_ready_worker(harness, image="first:1")
    await worker.change(image="second:1")
    node.disconnect()
    await harness.settle()

    await worker.rebuild()
    await harness.settle()
    await node.reconnect()
    await harness.advance(60)

    assert (images(node), await worker.state()) == (["second:1"], WorkerState.READY)


async def test_room_is_taken_for_the_larger_and_all_given_back(harness: Harness) -> None:
    node = await harness.add_node("one", cpus=4)
    worker = await a_ready_worker(harness)
    await worker.change(cpu_millis=3000)
    await rebuilt(worker)
    assert (await node_of(harness, node)).reserved.cpu_millis == 3000

    await worker.change(cpu_millis=5000)
    with pytest.raises(Conflict) as caught:
        await worker.rebuild()
    assert caught.value.code == "no_node_available"
    assert (await node_of(harness, node)).reserved.cpu_millis == 3000

    await worker.destroy()
    await harness.settle()
    assert (await node_of(harness, node)).reserved == NOTHING
    assert is_clean(node)


async def test_a_worker_that_is_destroyed_in_a_rebuild_leaves_nothing(harness: Harness) -> None:
    node = await harness.add_node("one", images=("first:1",))
    worker = await a_ready_worker(harness, image="first:1")
    node.engine.hold_pulls()
    await worker.change(image="slow:1")
    await worker.rebuild()
    await harness.settle()

    await worker.destroy()
    await harness.settle()
    await harness.advance(60)

    assert is_clean(node)
