"""Thousands of idle agents on one server process: memory and processor time each, with their heartbeats."""

import asyncio
import resource
import subprocess
import sys
import time

import httpx
import psutil

from benchmarks.figures import Row
from benchmarks.seed import some_nodes
from benchmarks.stack import Server, organization, resident_bytes, server
from spunto.adapters.sql.store import SqlStore
from spunto.core.access.model import Actor, ActorKind, OrgId
from spunto.core.access.policy import Action, Role
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.wakeups import Wakeups

AGENTS = 5000
WATCH_SECONDS = 45.0


def measure() -> list[Row]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with server() as running:
        tokens = asyncio.run(_enrol(running))
        before = resident_bytes(running.pid)
        swarm = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.swarm", running.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert swarm.stdin is not None
        assert swarm.stdout is not None
        try:
            swarm.stdin.write("\n".join(tokens))
            swarm.stdin.close()
            connected = swarm.stdout.readline().strip()
            assert connected == f"connected {AGENTS}", connected
            return _watch(running, before)
        finally:
            swarm.terminate()
            swarm.wait(30)


def _watch(running: Server, before: int) -> list[Row]:
    process = psutil.Process(running.pid)
    busy = process.cpu_times()
    started = time.perf_counter()
    time.sleep(WATCH_SECONDS)
    seconds = time.perf_counter() - started
    after = process.cpu_times()
    share = (after.user + after.system - busy.user - busy.system) / seconds
    each = (resident_bytes(running.pid) - before) / AGENTS / 1e3
    detail = f"{AGENTS} agents connected, watched for {seconds:.0f} s"
    return [
        Row(name="idle agents: memory each", figure=each, unit="KB", goal=40, better="lower", detail=detail),
        Row(name="idle agents: share of a core", figure=share * 100, unit="%", goal=12, better="lower", detail=detail),
    ]


async def _enrol(running: Server) -> list[str]:
    with httpx.Client(headers=running.headers) as client:
        org_id = OrgId(organization(client, running))
    store = await SqlStore.open(
        f"sqlite+aiosqlite:///{running.data_dir / 'spunto.db'}", Wakeups(SystemClock()), pool_size=2
    )
    try:
        actor = Actor(kind=ActorKind.SYSTEM, credential_id="bench", roles={org_id: Role.OWNER})
        tenant = actor.require(Action.NODE_CREATE, org_id=org_id)
        made = await some_nodes(store, tenant, names=[f"idle-{number}" for number in range(AGENTS)])
        return [token.reveal() for _, token in made]
    finally:
        await store.aclose()
