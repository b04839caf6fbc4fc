"""Server and agents of different age: what one does not understand it leaves alone, and both say so."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.journeys.steps import a_ready_worker, a_worker, is_clean, running

from spunto.adapters.memory.runtime_commands import Process
from spunto.core.executor.reading import Reading
from spunto.core.specs import worker
from spunto.core.specs.kind import SPECS
from spunto.core.workers.model import PATIENCE, DockerState, WorkerState
from spunto.core.workers.reach import ExecRequest
from spunto.testing.harness import Harness
from spunto.testing.node import SimulatedNode

S = WorkerState


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Reading:
    """An agent of before a field that the server, and every agent that is made now, have in a worker's spec."""

    def read(body: Any) -> worker.WorkerSpec:
        return worker.read({name: value for name, value in body.items() if name != "motto"})

    def write(spec: worker.WorkerSpec) -> dict[str, Any]:
        return {**worker.write(spec), "motto": "onward"}

    reading = Reading(specs=dict(SPECS))
    monkeypatch.setitem(SPECS, "worker", replace(SPECS["worker"], read=read, write=write))
    return reading


def change_agent(node: SimulatedNode, reading: Reading) -> None:
    node.reading = reading
    node.restart_agent()


async def test_a_downgrade_and_back_with_a_running_worker_loses_and_restarts_nothing(
    older: Reading, harness: Harness
) -> None:
    begun: list[str] = []

    async def begin(_: Process, arguments: Sequence[str]) -> int:
        begun.extend(arguments)
        return 0

    node = await harness.add_node("one", commands={"begin": begin})
    ready = await a_ready_worker(harness, post_create_command="begin once", post_start_command="begin again")
    containers, kept = node.containers(), node.journal.load()

    change_agent(node, older)
    await harness.advance(120)

    assert (await ready.state(), await ready.docker_state()) == (S.READY, DockerState.RUNNING)
    assert (await ready.problem() or ("",))[0] == "spec_unknown"
    said = await harness.spunto.reach.exec(*ready.here, ExecRequest(command=("echo", "here")))
    assert (said.stdout, node.containers(), node.journal.load()) == (b"here\n", containers, kept)

    change_agent(node, Reading())
    await harness.advance(1)

    assert (await ready.state(), await ready.problem()) == (S.READY, None)
    assert (node.containers(), begun) == (containers, ["once", "again"])


async def test_a_worker_that_is_not_understood_waits_with_the_reason_and_its_deadline_decides(
    older: Reading, harness: Harness
) -> None:
    node = await harness.add_node("one")
    change_agent(node, older)
    await harness.settle()
    waiting = await a_worker(harness)
    await harness.advance(60)
    assert (await waiting.state(), (await waiting.problem() or ("",))[0]) == (S.SPAWNING, "spec_unknown")

    await harness.advance(PATIENCE[S.SPAWNING].total_seconds())
    assert (await waiting.state(), (await waiting.problem() or ("",))[0]) == (S.ERROR, "deadline_passed")
    assert node.containers() == []

    change_agent(node, Reading())
    await waiting.start()
    await harness.settle()
    assert (await waiting.state(), await waiting.problem()) == (S.READY, None)


async def test_a_stop_that_is_not_understood_touches_nothing_until_it_is(older: Reading, harness: Harness) -> None:
    node = await harness.add_node("one")
    ready = await a_ready_worker(harness)
    change_agent(node, older)
    await harness.settle()

    await ready.stop()
    await harness.advance(30)
    assert (await ready.state(), running(node)) == (S.STOPPING, [ready.container])

    change_agent(node, Reading())
    await harness.settle()
    assert (await ready.state(), await ready.problem(), running(node)) == (S.STOPPED, None, [])


async def test_what_is_not_understood_can_be_destroyed(older: Reading, harness: Harness) -> None:
    node = await harness.add_node("one")
    ready = await a_ready_worker(harness)
    change_agent(node, older)
    await harness.settle()

    await ready.destroy()
    await harness.advance(30)

    assert await ready.is_gone()
    assert is_clean(node)


async def test_what_an_agent_can_do_is_known_to_the_server(harness: Harness) -> None:
    node = await harness.add_node("one")

    made = await harness.spunto.nodes.get(harness.owner, harness.organization.id, node.id)

    assert made.agent is not None
    assert made.agent.capabilities == (
        "kind:worker",
        "stream:dial",
        "stream:exec",
        "stream:files",
        "stream:inventory",
        "stream:logs",
        "stream:ports",
        "stream:stats",
        "stream:terminal",
        "stream:terminals",
    )
