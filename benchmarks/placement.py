"""Placements per second: choose and reserve in one statement, 32 at a time, one process, real databases."""

import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.figures import Row
from benchmarks.seed import a_connected_node, an_organization
from benchmarks.stack import postgres_database
from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.model import Demand

CONCURRENT = 32
PLACEMENTS = 4000
NODES = 16
DEMAND = Demand(cpu_millis=10, memory_bytes=1)


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, postgres_database() as postgres_url:
        sqlite_url = f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}"
        return [_row("Postgres", postgres_url, goal=2000), _row("SQLite", sqlite_url, goal=None)]


def _row(name: str, url: str, *, goal: float | None) -> Row:
    seconds, overcommitted = uvloop.run(_place(url))
    return Row(
        name=f"placement on {name}, {CONCURRENT} at a time",
        figure=PLACEMENTS / seconds,
        unit="/s",
        goal=goal,
        better="higher",
        detail=f"{PLACEMENTS} placements on {NODES} nodes in {seconds:.2f} s, {overcommitted} nodes overcommitted",
    )


async def _place(url: str) -> tuple[float, int]:
    await upgrade(url)
    store = await SqlStore.open(url, Wakeups(SystemClock()), pool_size=CONCURRENT)
    try:
        tenant = await an_organization(store)
        for number in range(NODES):
            await a_connected_node(store, tenant, name=f"node-{number}", cpu_millis=1_000_000, memory_bytes=2**40)
        started = time.perf_counter()

        async def place(count: int) -> None:
            for _ in range(count):
                async with store() as tx:
                    assert await tx.nodes.reserve_least_loaded(tenant.org_id, DEMAND, among=None) is not None
                    await tx.commit()

        await asyncio.gather(*(place(PLACEMENTS // CONCURRENT) for _ in range(CONCURRENT)))
        seconds = time.perf_counter() - started
        async with store.reading() as tx:
            nodes = await tx.nodes.all_of(tenant)
        reserved = sum(node.reserved.cpu_millis for node in nodes)
        assert reserved == PLACEMENTS * DEMAND.cpu_millis, reserved
        over = [n for n in nodes if n.capacity is not None and n.reserved.cpu_millis > n.capacity.cpu_millis]
        return seconds, len(over)
    finally:
        await store.aclose()
