"""A worker that nobody uses stops by itself; whoever uses it, or says so, keeps it."""

import asyncio

import pytest
from tests.unit.journeys.steps import Subject, a_ready_worker

from spunto.client.errors import StateConflict
from spunto.client.worker_models import Worker as ShownWorker
from spunto.core.executor.runtime import ContainerState
from spunto.core.routes.asking import Source
from spunto.core.workers.model import WorkerState
from spunto.core.workers.reach import ExecRequest
from spunto.testing.harness import Harness

S = WorkerState
MINUTES = 60


async def an_idling_worker(harness: Harness, *, seconds: int | None = 10 * MINUTES) -> Subject:
    worker = await a_ready_worker(harness)
    await harness.spunto.workers.update(*worker.here, idle_timeout_seconds=seconds)
    return worker


async def shown(worker: Subject) -> ShownWorker:
    async with worker.harness.client() as client:
        return (await client.workers.list_all(worker.harness.organization.id)).items[0]


async def test_it_stops_with_the_reason_and_starts_again(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await an_idling_worker(harness)
    stops_at = (await shown(worker)).stops_at

    await harness.advance(10 * MINUTES - 1)
    before = await worker.state()
    await harness.advance(2)
    stopped = await shown(worker)
    states = [each.state for each in node.containers()]
    await worker.start()
    await harness.advance(5)
    started = await shown(worker)
    async with harness.spunto._store.reading() as tx:
        events = await tx.events.after(harness.organization.id, 0, limit=100)

    told = [(each.data["state"], each.data.get("reason")) for each in events if "state" in each.data]
    assert [each for each in told if each[0] not in ("spawning",)] == [
        ("ready", None), ("stopping", "idle"), ("stopped", "idle"), ("starting", None), ("ready", None)
    ]  # fmt: skip
    assert (before, stopped.state, stopped.stop_reason, stopped.stops_at) == (S.READY, "stopped", "idle", None)
    assert states == [ContainerState.EXITED]
    assert stops_at is not None
    assert stopped.stopped_at is not None
    assert 0 <= (stopped.stopped_at - stops_at).total_seconds() < 2
    assert (started.state, started.stop_reason) == ("ready", None)
    assert started.stops_at is not None


async def test_without_a_timeout_it_runs_for_ever(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await an_idling_worker(harness, seconds=None)

    await harness.advance(3 * 24 * 3600)

    assert await worker.state() is S.READY


async def test_a_shorter_time_begins_when_it_is_set(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await an_idling_worker(harness, seconds=None)
    await harness.advance(3600)

    await harness.spunto.workers.update(*worker.here, idle_timeout_seconds=5 * MINUTES)
    await harness.advance(5 * MINUTES - 1)
    before = await worker.state()
    await harness.advance(2)

    assert (before, await worker.state()) == (S.READY, S.STOPPED)


async def test_its_project_says_it_for_new_workers(harness: Harness) -> None:
    await harness.add_node("one")
    before = await a_ready_worker(harness)
    await harness.spunto.projects.update(*before.here[:3], {"idle_timeout_seconds": 5 * MINUTES})
    view = await harness.spawn(before.project)
    await harness.settle()

    await harness.advance(6 * MINUTES)

    after = await harness.worker(before.project, view.worker.id)
    assert (await before.state(), after.worker.state, after.outdated) == (S.READY, S.STOPPED, False)


async def use_by_exec(worker: Subject) -> None:
    await worker.harness.spunto.reach.exec(*worker.here, ExecRequest(command=["true"]))


async def use_by_edge(worker: Subject) -> None:
    await worker.harness.spunto.uses.note(worker.id, Source.WEBSOCKET)


async def use_by_terminal(worker: Subject) -> None:
    await worker.harness.spunto.terminals.note(worker.id)


async def keep_alive(worker: Subject) -> None:
    await worker.harness.spunto.idling.keep_alive(*worker.here)


@pytest.mark.parametrize(
    ("use", "source"),
    [
        (use_by_exec, "exec"),
        (use_by_edge, "websocket"),
        (use_by_terminal, "terminal"),
        (keep_alive, "keep-alive"),
    ],
)
async def test_a_use_moves_the_time(harness: Harness, use: object, source: str) -> None:
    await harness.add_node("one")
    worker = await an_idling_worker(harness)
    await harness.advance(9 * MINUTES)

    await use(worker)  # type: ignore[operator]  # one of the above
    await harness.advance(9 * MINUTES)
    used = await shown(worker)
    await harness.advance(2 * MINUTES)

    assert used.last_activity is not None
    assert (used.state, used.last_activity.source) == ("ready", source)
    assert await worker.state() is S.STOPPED


async def test_looking_is_no_use(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await an_idling_worker(harness)
    await harness.advance(9 * MINUTES)

    await shown(worker)
    await harness.spunto.reach.stats(*worker.here)
    async for _ in harness.spunto.reach.logs(*worker.here, tail=10):
        pass
    await harness.advance(2 * MINUTES)

    assert await worker.state() is S.STOPPED


async def test_a_command_that_runs_longer_keeps_it(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await an_idling_worker(harness, seconds=60)
    asked = ExecRequest(command=["sleep", "1000"], timeout_seconds=300)

    running = asyncio.ensure_future(harness.spunto.reach.exec(*worker.here, asked))
    await harness.settle()
    await harness.advance(290)
    during = await worker.state()
    running.cancel()
    await harness.advance(60)

    assert (during, await worker.state()) == (S.READY, S.STOPPED)


async def test_it_is_kept_for_as_long_as_is_said_and_no_longer(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await an_idling_worker(harness)

    async with harness.client() as client:
        listed = (await client.workers.list_all(harness.organization.id)).items[0]
        kept = await client.workers.keep_alive(listed, seconds=3600)
        await harness.advance(59 * MINUTES)
        during = await worker.state()
        await harness.advance(2 * MINUTES)
        with pytest.raises(StateConflict) as refused:
            await client.workers.keep_alive(listed)

    assert kept.last_activity is not None
    assert kept.last_activity.source == "keep-alive"
    assert (during, await worker.state(), refused.value.code) == (S.READY, S.STOPPED, "worker_not_running")


async def test_a_node_that_is_away_makes_nobody_idle(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await an_idling_worker(harness)

    node.kill_agent()
    await harness.advance(3600)
    away = await worker.state()
    node.start_agent()
    await harness.advance(45)
    back = await worker.state()
    await harness.advance(2 * MINUTES)

    assert (away, back, await worker.state()) == (S.READY, S.READY, S.STOPPED)


async def test_a_server_that_was_away_waits_for_what_it_may_be_told(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await an_idling_worker(harness)
    await harness.advance(10 * MINUTES - 5)

    await harness.restart_server()
    await harness.advance(30)
    restarted = await worker.state()
    await harness.advance(3 * MINUTES)

    assert (restarted, await worker.state()) == (S.READY, S.STOPPED)


async def test_a_command_that_has_run_is_answered_though_nobody_can_write_down_that_it_has(harness: Harness) -> None:
    async def outage(*_: object) -> int:
        harness.break_store()
        return 7

    await harness.add_node("one", commands={"outage": outage})
    worker = await an_idling_worker(harness)

    result = await harness.spunto.reach.exec(*worker.here, ExecRequest(command=["outage"]))
    harness.mend_store()

    assert result.exit_code == 7
