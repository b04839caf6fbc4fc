"""A database is restored from an older copy of its file while a node has gone on."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.chaos.fleet import Member
from tests.fixtures.processes import Server, running_server
from tests.fixtures.waiting import eventually
from tests.integration.replicas.members import a_member

from spunto.testing.node import DEFAULT_IMAGE

SECONDS = 30.0


@pytest.mark.long
async def test_a_restored_file_goes_on_with_what_runs_and_says_so(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server:
        bearer = {"Authorization": f"Bearer {server.owner_token}"}
        async with (
            httpx.AsyncClient(base_url=server.url, headers=bearer, timeout=20) as client,
            a_member(client, server.url) as (member, org),
        ):
            project = {"name": "one", "image": DEFAULT_IMAGE}
            made = (await client.post(f"{org}/projects", json=project)).raise_for_status().json()
            workers = f"{org}/projects/{made['id']}/workers"
            asked = {"nodeId": member.node_id}
            worker = f"{workers}/{(await client.post(workers, json=asked)).raise_for_status().json()['id']}"
            await became(client, worker, "ready")
            backup, before = backed_up(server, tmp_path), timeline(server)
            (await client.post(f"{worker}/stop")).raise_for_status()
            await became(client, worker, "stopped")

            server.stop()
            restore(server, backup)
            told = restored(server)
            server.start()
            server.wait_ready()

            # Its row says so at once; the node has yet to hear it.
            await became(client, worker, "ready")
            await eventually(lambda: runs(member), seconds=SECONDS, what="the container runs again")
            await became(client, worker, "ready")
            assert before != timeline(server)
            assert timeline(server) in told


def backed_up(server: Server, directory: Path) -> Path:
    """As SQLite's own backup makes it, while the server runs."""
    copy = directory / "backup.db"
    with closing(sqlite3.connect(database_of(server))) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def restore(server: Server, backup: Path) -> None:
    database = database_of(server)
    for leftover in (f"{database}-wal", f"{database}-shm"):
        Path(leftover).unlink(missing_ok=True)
    shutil.copy(backup, database)


def restored(server: Server) -> str:
    """What `spunto db restored` prints."""
    url = f"sqlite+aiosqlite:///{database_of(server)}"
    command = [str(Path(sys.executable).with_name("spunto")), "db", "restored", "--url", url]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=SECONDS)
    return str(done.stdout)


def timeline(server: Server) -> str:
    with closing(sqlite3.connect(database_of(server))) as connection:
        return str(connection.execute("SELECT id FROM timelines").fetchone()[0])


def database_of(server: Server) -> Path:
    return server.data_dir / "spunto.db"


async def runs(member: Member) -> bool:
    return [each.state.value for each in member.machine.standing()] == ["running"]


async def became(client: httpx.AsyncClient, worker: str, state: str) -> None:
    async def so() -> bool:
        try:
            found: dict[str, Any] = (await client.get(worker)).json()
        except httpx.TransportError:
            return False
        return found.get("state") == state

    await eventually(so, seconds=SECONDS, what=f"{worker} is {state}")
