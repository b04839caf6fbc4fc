"""Server, agent and engine die in the middle of a rebuild: it ends in one container, and never two wrote at a time."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby

from tests.chaos.box import Box
from tests.chaos.engine import PrivateEngine
from tests.chaos.scenarios.crashes import KILLED, SERVER_POINTS
from tests.fixtures.waiting import eventually

from spunto.client.errors import NotNow, ServerUnreachable
from spunto.client.worker_models import Worker

AGENT_POINTS = ("after_stop", "after_rename", "after_create", "before_start", "after_start")
ENGINE_POINTS = ("Stop", "Rename", "Create", "Start")
# Each start of a container writes a name of its own as long as it runs.
_WRITER = (
    "name=$(cat /proc/sys/kernel/random/uuid); "
    "(while :; do echo $name >>/workspace/writers; sleep 0.02; done) </dev/null >/dev/null 2>&1 &"
)


async def server_dies_in_a_rebuild(box: Box) -> str:
    """Between the commit and the sending of what it says, and between the sending and any answer."""
    worker = await _written_to(box)
    for point in SERVER_POINTS:
        box.server.stop()
        # The first time is what is said to the agent as it connects, the second is the rebuild.
        box.server.start(SPUNTO_CRASH=f"{point}:2")
        await asyncio.to_thread(box.server.wait_ready)
        await box.node_is("online")
        before = await _container_of(box)
        with suppress(ServerUnreachable, NotNow):
            await box.client.workers.rebuild(worker)

        assert await asyncio.to_thread(box.server.wait, seconds=30) == KILLED, box.server.tail()
        box.server.start()
        await asyncio.to_thread(box.server.wait_ready)
        await _is_rebuilt(box, worker, before)
    return await _told(box, worker, len(SERVER_POINTS))


async def agent_dies_in_a_rebuild(box: Box) -> str:
    """After each of its steps."""
    worker = await _written_to(box)
    for point in AGENT_POINTS:
        box.agent.stop()
        box.agent.start(SPUNTO_CRASH=f"{point}:1")
        await box.node_is("online")
        before = await _container_of(box)
        await box.client.workers.rebuild(worker)

        assert await asyncio.to_thread(box.agent.wait, seconds=30) == KILLED, box.agent.tail()
        box.agent.start()
        await box.node_is("online")
        await _is_rebuilt(box, worker, before)
    return await _told(box, worker, len(AGENT_POINTS))


async def engine_dies_in_a_rebuild(box: Box, engine: PrivateEngine) -> str:
    """While the agent goes on from each of its steps."""
    worker = await _written_to(box)
    for point in ENGINE_POINTS:
        done = _count_of(box, point)
        await box.client.workers.rebuild(worker)

        await _has_done(box, point, more_often_than=done)
        await asyncio.to_thread(engine.kill)
        engine.start()
        await engine.ready()
        await _ends_alone(box, worker)
    return await _told(box, worker, len(ENGINE_POINTS))


async def _written_to(box: Box) -> Worker:
    await box.client.projects.update(box.org_id, box.project_id, {"postStartCommand": _WRITER})
    return await box.spawn_ready()


async def _container_of(box: Box) -> str:
    [container] = await box.engine.containers()
    return container.id


def _count_of(box: Box, action: str) -> int:
    return box.agent.log.read_text().count(f'"action":"{action}"')


async def _has_done(box: Box, action: str, *, more_often_than: int) -> None:
    async def done() -> bool:
        return _count_of(box, action) > more_often_than

    await eventually(done, seconds=30, what=f"{action}\n{box.agent.tail()}")


async def _is_rebuilt(box: Box, worker: Worker, before: str) -> None:
    async def alone_and_new() -> bool:
        now = await _told_of(box, worker)
        containers = [each.id for each in await box.engine.containers()]
        return now is not None and now.state == "ready" and containers != [before]

    await eventually(alone_and_new, seconds=60, what=f"the rebuild is over\n{box.agent.tail()}")
    await box.settled()
    assert len(await box.engine.containers()) == 1


async def _ends_alone(box: Box, worker: Worker) -> None:
    """An engine that is killed takes its containers along, so that the worker may be stopped, or back where it was.
    Whatever it is, one start makes it run, once the node has told what became of the container: until then the worker
    is as it was, and a start of what runs changes nothing."""

    async def at_rest() -> bool:
        now = await _told_of(box, worker)
        if now is None or now.state not in ("ready", "stopped", "error"):
            return False
        is_running = any(each.running for each in await box.engine.containers() if each.id == now.container_id)
        return is_running == (now.state == "ready")

    await eventually(at_rest, seconds=60, what=f"the rebuild is over\n{box.agent.tail()}")
    await box.start(worker)
    await box.settled(seconds=60)
    assert len(await box.engine.containers()) == 1


async def _told_of(box: Box, worker: Worker) -> Worker | None:
    with suppress(ServerUnreachable, NotNow):
        return await box.client.workers.get(worker)
    return None


async def _told(box: Box, worker: Worker, deaths: int) -> str:
    said = await box.client.workers.exec(worker, ["cat", "/workspace/writers"])
    names = said.stdout.split()
    require_one_at_a_time(names)
    return f"{deaths} deaths, one container, {len(set(names))} writers one after the other"


def require_one_at_a_time(names: Sequence[str]) -> None:
    turns = [name for name, _ in groupby(names)]
    assert len(turns) == len(set(turns)), "two containers wrote at a time"
