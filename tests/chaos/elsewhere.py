"""How much longer a spawn takes at a server that does not hold the node's socket: until the container runs."""

import asyncio
import statistics
import time
from collections.abc import Sequence

import httpx
from tests.chaos.fleet import Member
from tests.fixtures.processes import Server

SPAWNS = 15
_PATIENCE_SECONDS = 10.0
_LOOK_SECONDS = 0.002


async def slower_by_ms(
    servers: Sequence[Server], client: httpx.AsyncClient, project: str, member: Member
) -> tuple[float, float]:
    """The median at the fastest of the servers, which is the holder, and how much more it is at the slowest.

    What was spawned is destroyed again.
    """
    medians = sorted([statistics.median(await _took(server, client, project, member)) for server in servers])
    return medians[0] * 1000, (medians[-1] - medians[0]) * 1000


async def _took(server: Server, client: httpx.AsyncClient, project: str, member: Member) -> list[float]:
    seconds = []
    for _ in range(SPAWNS):
        begun = time.monotonic()
        asked = {"nodeId": member.node_id}
        made = (await client.post(f"{server.url}{project}/workers", json=asked)).raise_for_status().json()
        await _until(member, running=1)
        seconds.append(time.monotonic() - begun)
        (await client.delete(f"{server.url}{project}/workers/{made['id']}")).raise_for_status()
        await _until(member, running=0)
    return seconds


async def _until(member: Member, *, running: int) -> None:
    """A fake engine tells nobody, so that it is looked at each 2 ms."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            if sum(each.state.value == "running" for each in member.machine.standing()) == running:
                return
            await asyncio.sleep(_LOOK_SECONDS)
