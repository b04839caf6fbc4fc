"""Server and agent die at the worst of moments, by the crash points that they carry for this."""

import asyncio
import secrets

from tests.chaos.box import Box
from tests.fixtures.waiting import eventually

from spunto.client.errors import NotNow, ServerUnreachable
from spunto.client.worker_models import Worker

KILLED = 137
SERVER_POINTS = ("after_commit_before_send", "after_send")
# The last in a report counts those of the workers before, so it comes first.
AGENT_POINTS = ("before_report", "after_create", "before_start", "after_start")


async def server_crashes(box: Box) -> str:
    """Between the commit and the sending of what it says, and between the sending and any answer."""
    for point in SERVER_POINTS:
        box.server.stop()
        # The first time is what is said to the agent as it connects, the second is the spawn.
        box.server.start(SPUNTO_CRASH=f"{point}:2")
        await asyncio.to_thread(box.server.wait_ready)
        await box.node_is("online")

        key = secrets.token_hex(8)
        await _spawn(box, key)
        await _has_crashed(box, "server")
        box.server.start()
        await asyncio.to_thread(box.server.wait_ready)
        await _spawn_until_answered(box, key)
        await box.settled()
    return f"{len(SERVER_POINTS)} crashes, {len(SERVER_POINTS)} workers, {len(SERVER_POINTS)} containers"


async def agent_crashes(box: Box) -> str:
    """Around creating, starting and reporting a container."""
    for point in AGENT_POINTS:
        box.agent.stop()
        box.agent.start(SPUNTO_CRASH=f"{point}:1")
        await box.node_is("online")

        await _spawn(box, secrets.token_hex(8))
        await _has_crashed(box, "agent")
        box.agent.start()
        await box.node_is("online")
        await box.settled()
    return f"{len(AGENT_POINTS)} crashes, {len(AGENT_POINTS)} workers, {len(AGENT_POINTS)} containers"


async def _spawn(box: Box, key: str) -> Worker | None:
    """None where the answer is lost, which the crash decides."""
    try:
        worker = await box.client.workers.spawn(box.org_id, box.project_id, idempotency_key=key)
    except (ServerUnreachable, NotNow):
        return None
    box.oracle.spawned(key, worker.id)
    return worker


async def _spawn_until_answered(box: Box, key: str) -> None:
    await eventually(lambda: _spawn(box, key), seconds=30, what="an answer to the spawn")


async def _has_crashed(box: Box, name: str) -> None:
    program = box.server if name == "server" else box.agent

    async def over() -> bool:
        return not program.is_running

    await eventually(over, seconds=30, what=f"the {name} reaches its crash point\n{program.tail()}")
    assert program.exit_code == KILLED, program.tail()
