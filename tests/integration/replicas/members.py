"""One agent of a fleet, connected to a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from tests.chaos.fleet import Member
from tests.fixtures.waiting import eventually

SECONDS = 30.0


@asynccontextmanager
async def a_member(client: httpx.AsyncClient, url: str) -> AsyncIterator[tuple[Member, str]]:
    """A connected agent, and the path of its organization."""
    org = f"/api/orgs/{(await client.get('/api/orgs')).json()['items'][0]['id']}"
    enrolled = (await client.post(f"{org}/nodes", json={"name": "fleet"})).raise_for_status().json()
    member = Member(node_id=enrolled["node"]["id"], token=enrolled["token"])
    running = asyncio.ensure_future(member.run(url))

    async def connected() -> bool:
        return member.is_connected

    try:
        await eventually(connected, seconds=SECONDS, what="the agent is connected")
        yield member, org
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await member.machine.aclose()
