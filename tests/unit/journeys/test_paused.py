"""A container that somebody paused on its node is told as such, and nobody waits for it."""

import pytest
from tests.unit.journeys.steps import a_ready_worker

from spunto.core.kernel.errors import Conflict
from spunto.core.workers.model import DockerState, WorkerState
from spunto.core.workers.reach import ExecRequest
from spunto.testing.harness import Harness


async def test_a_paused_worker_says_so_and_answers_at_once(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    node.engine.pause_by_hand(worker.container)
    await harness.settle()

    view, explained = await harness.spunto.workers.explain(*worker.here)
    with pytest.raises(Conflict) as caught:
        await harness.spunto.reach.exec(*worker.here, ExecRequest(command=["true"]))

    assert (view.worker.state, view.docker_state) == (WorkerState.READY, DockerState.PAUSED)
    assert view.worker.problem is not None
    assert (view.worker.problem.code, explained.blocking) == ("container_paused", view.worker.problem.message)
    assert caught.value.code == "worker_paused"

    node.engine.unpause_by_hand(worker.container)
    await harness.settle()
    assert (await worker.problem(), await worker.docker_state()) == (None, DockerState.RUNNING)


async def test_a_paused_worker_is_stopped_and_started(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    node.engine.pause_by_hand(worker.container)
    await harness.settle()

    await worker.stop()
    await harness.settle()
    assert (await worker.state(), await worker.problem()) == (WorkerState.STOPPED, None)
    await worker.start()
    await harness.settle()
    assert (await worker.state(), await worker.problem()) == (WorkerState.READY, None)
