"""Two servers that tell each other nothing: each finds by polling what the other one did."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.chaos.fleet import Member
from tests.fixtures.replicas import running_cluster
from tests.fixtures.waiting import eventually

from spunto.testing.node import DEFAULT_IMAGE

pytestmark = pytest.mark.postgres

SECONDS = 25.0


async def test_everything_happens_without_any_hint(postgres_database: str, tmp_path: Path) -> None:
    environment = {"SPUNTO_DATABASE_NOTIFY": "off"}
    with running_cluster(tmp_path, postgres_database, "a", "b", environment=environment) as cluster:
        bearer = {"Authorization": f"Bearer {cluster.owner_token}"}
        a, b = cluster.servers["a"], cluster.servers["b"]
        async with httpx.AsyncClient(base_url=b.url, headers=bearer, timeout=20) as at_b:
            org = f"/api/orgs/{(await at_b.get('/api/orgs')).json()['items'][0]['id']}"
            enrolled = (await at_b.post(f"{org}/nodes", json={"name": "fleet"})).raise_for_status().json()
            member = Member(node_id=enrolled["node"]["id"], token=enrolled["token"])
            running = asyncio.ensure_future(member.run(a.url))
            try:
                await eventually(lambda: connected(member), seconds=SECONDS, what="the agent is connected")
                environment_of = {"name": "one", "image": DEFAULT_IMAGE}
                project = (await at_b.post(f"{org}/projects", json=environment_of)).raise_for_status().json()
                workers = f"{org}/projects/{project['id']}/workers"

                made = (await at_b.post(workers, json={})).raise_for_status().json()
                worker = f"{workers}/{made['id']}"
                await eventually(lambda: state_is(at_b, worker, "ready"), seconds=SECONDS, what="ready")
                executed = await at_b.post(f"{worker}/exec", json={"command": ["true"]})
                (await at_b.delete(worker)).raise_for_status()
                await eventually(lambda: state_is(at_b, worker, None), seconds=SECONDS, what="gone")
                (await at_b.post(f"{org}/nodes/{member.node_id}/token")).raise_for_status()
                await eventually(lambda: shut_out(member), seconds=SECONDS, what="the agent is shut out")
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running
                await member.machine.aclose()

    assert executed.status_code == 200


async def connected(member: Member) -> bool:
    return member.is_connected


async def shut_out(member: Member) -> bool:
    return member.close_codes == [4403]


async def state_is(client: httpx.AsyncClient, worker: str, state: str | None) -> bool:
    answer = await client.get(worker)
    found: dict[str, Any] = answer.json()
    return answer.status_code == 404 if state is None else found.get("state") == state
