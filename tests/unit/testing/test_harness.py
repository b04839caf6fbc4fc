"""The harness itself: it settles when everybody is done, moves time in order, and hides nothing that breaks."""

import asyncio
import itertools
from pathlib import Path

import pytest
from examples.embed_library import main

from spunto.core.kernel.clock import ManualClock
from spunto.core.nodes.model import NodeStatus
from spunto.core.workers.reach import ExecRequest
from spunto.core.workers.terminals import TerminalWish
from spunto.testing import settling
from spunto.testing.harness import Harness
from spunto.testing.network import Cable


async def test_settling_waits_for_chains_of_tasks_and_callbacks() -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    async def relay(hops: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        if hops == 0:
            loop.call_soon(lambda: loop.call_soon(done.set))
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(relay(hops - 1))

    task = asyncio.ensure_future(relay(10))
    await settling.settle()

    assert done.is_set()
    assert task.done()


async def test_nothing_is_left_to_run_after_settling(spunto_harness: Harness) -> None:
    await spunto_harness.add_node("one")
    project = await spunto_harness.add_project(post_start_command="echo")
    loop = asyncio.get_running_loop()
    left = []

    for _ in range(4):
        await spunto_harness.spawn(project)
        await spunto_harness.settle()
        left.append(len(loop._ready))  # type: ignore[attr-defined]  # asyncio's own list of what runs next

    assert left == [0, 0, 0, 0]


async def test_settling_gives_up_on_who_is_never_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "MAX_TURNS", 100)

    async def spin() -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    task = asyncio.create_task(spin(), name="the busy one")
    with pytest.raises(settling.NeverSettles, match="the busy one"):
        await settling.settle()
    task.cancel()


async def test_time_passes_from_hour_to_hour() -> None:
    clock, seen = ManualClock(), []

    async def tick(seconds: float) -> None:
        while True:
            await clock.sleep(seconds)
            seen.append(clock.monotonic())

    tasks = [asyncio.ensure_future(tick(seconds)) for seconds in (2, 3)]
    await settling.advance(clock, 6.5)
    for task in tasks:
        task.cancel()

    assert seen == [2, 3, 4, 6, 6]
    assert clock.monotonic() == 6.5


async def test_work_that_waits_is_finished_by_moving_the_clock() -> None:
    clock = ManualClock()

    async def answer() -> str:
        await clock.sleep(100)
        return "done"

    assert await settling.finish(clock, answer(), max_seconds=100) == "done"
    with pytest.raises(TimeoutError):
        await settling.finish(clock, answer(), max_seconds=99)


async def test_the_client_waits_on_the_harness_s_clock(spunto_harness: Harness) -> None:
    await spunto_harness.add_node("one")
    project = await spunto_harness.add_project()
    async with spunto_harness.client() as client:
        worker = await client.workers.spawn(spunto_harness.organization.id, project.id)
        await spunto_harness.settle()
        said = await client.workers.exec(worker, ["echo", "hello"])

    assert said.stdout == "hello\n"


async def test_what_is_sent_into_silence_arrives_when_it_ends() -> None:
    cable = Cable()
    cable.is_silent = True
    await cable.agent_end.send("one")
    await cable.agent_end.send("two")

    await cable.speak_again()

    assert [await cable.server_end.receive(), await cable.server_end.receive()] == ["one", "two"]


async def test_what_breaks_in_the_background_breaks_the_test() -> None:
    async def break_down() -> None:
        raise ZeroDivisionError

    harness = await Harness().__aenter__()
    broken = harness._spawn(break_down(), "breaks")

    with pytest.raises(ExceptionGroup) as caught:
        await harness.settle()
    assert broken.done()
    with pytest.raises(ExceptionGroup):
        await harness.aclose()

    assert caught.group_contains(ZeroDivisionError)


async def test_a_hundred_workers_on_five_nodes_settle_at_once(spunto_harness: Harness) -> None:
    for number in range(5):
        await spunto_harness.add_node(f"n{number}", cpus=20, memory_bytes=20 * 1024**3)
    project = await spunto_harness.add_project()

    views = [await spunto_harness.spawn(project) for _ in range(100)]
    await spunto_harness.settle()

    states = {(await spunto_harness.worker(project, view.worker.id)).worker.state for view in views}
    assert states == {"ready"}
    assert [len(node.containers()) for node in spunto_harness.nodes.values()] == [20] * 5


async def test_a_harness_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    async with Harness() as harness:
        node = await harness.add_node("one")
        project = await harness.add_project()
        view = await harness.spawn(project)
        await harness.settle()
        await harness.spunto.terminals.open(harness.owner, view.worker.id, TerminalWish(cols=80, rows=24))
        found = await harness.spunto.nodes.get(harness.owner, harness.organization.id, node.id)
        running = await harness.spunto.reach.exec(
            harness.owner, harness.organization.id, project.id, view.worker.id, ExecRequest(command=["true"])
        )

    assert (found.status, running.exit_code) == (NodeStatus.ONLINE, 0)
    assert asyncio.all_tasks() == before


async def test_the_library_s_example_runs_and_finds_its_own_things_again(tmp_path: Path) -> None:
    first = await main(tmp_path / "example.db")
    second = await main(tmp_path / "example.db")

    assert first[:2] == ["organization default", "project hello v1 with localhost/spunto/worker:1"]
    assert first[2].startswith("node laptop; start its agent with the token spn_")
    assert first[3] == second[2] == "no worker: No node can take the worker: laptop never connected yet."
    assert second[1] == "project hello v2 with localhost/spunto/worker:1"
