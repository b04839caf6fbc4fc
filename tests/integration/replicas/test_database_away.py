"""The database is away just when a node reports: the report is told again, and nobody needs luck."""

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url
from tests.chaos.fleet import Member
from tests.fixtures.balancer import running_balancer
from tests.fixtures.replicas import running_cluster
from tests.fixtures.waiting import eventually
from tests.integration.replicas.members import a_member

from spunto.core.protocol.closing import BUSY

pytestmark = pytest.mark.postgres

SECONDS = 30.0
IMAGE = "localhost/elsewhere:1"


async def test_a_report_that_could_not_be_stored_is_told_again(postgres_database: str, tmp_path: Path) -> None:
    url = make_url(postgres_database)
    socket = f"unix:{url.query['host']}/.s.PGSQL.{url.port or 5432}"
    with running_balancer([socket]) as way:
        through = url.set(host="127.0.0.1", port=way.port, query={}).render_as_string(hide_password=False)
        with running_cluster(tmp_path, through, "a") as cluster:
            bearer = {"Authorization": f"Bearer {cluster.owner_token}"}
            server = cluster.servers["a"]
            async with (
                httpx.AsyncClient(base_url=server.url, headers=bearer, timeout=20) as client,
                a_member(client, server.url) as (member, org),
            ):
                project = {"name": "one", "image": IMAGE}
                made = (await client.post(f"{org}/projects", json=project)).raise_for_status().json()
                workers = f"{org}/projects/{made['id']}/workers"
                member.machine.published.add(IMAGE)
                member.machine.hold_pulls()
                asked = {"nodeId": member.node_id}
                worker_id = (await client.post(workers, json=asked)).raise_for_status().json()["id"]
                async with asyncio.timeout(SECONDS):
                    await member.machine.pull_begun.wait()

                way.order = []
                way.cut()
                member.machine.release_pulls()
                await eventually(lambda: was_sent_away(member), seconds=SECONDS, what="the connection's end")
                way.order = [socket]

                async def is_ready() -> bool:
                    answer = await client.get(f"{workers}/{worker_id}")
                    return answer.is_success and answer.json()["state"] == "ready"

                await eventually(is_ready, seconds=SECONDS, what="the worker is ready")


async def was_sent_away(member: Member) -> bool:
    return BUSY in member.close_codes
