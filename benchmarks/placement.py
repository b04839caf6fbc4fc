"""Placements per second from two server processes on one Postgres, and from one on SQLite, until every node is full."""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.durable import durable_postgres
from benchmarks.figures import Row
from benchmarks.placers import CONCURRENT, DEMAND, Home, Outcome, Plan
from benchmarks.seed import a_connected_node, an_organization, some_workers
from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.model import Node, NodeId

PROCESSES = 2
NODES = 16
ROOM = 4000
BEYOND = 400
"""Placements that are tried when no room is left, so that overcommitting would show."""
WATCHERS = 50
ORGANIZATIONS = 50
SPAWNS = 1500
WORKER = (1000, 2**30)


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        sqlite = _placements("SQLite", f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}", processes=1, goal=None)
    with durable_postgres() as url:
        postgres = _placements("Postgres, fsync on", url, processes=PROCESSES, goal=2000)
    with durable_postgres() as url:
        spawns = _spawns(url)
    return [postgres, spawns, sqlite]


def _placements(name: str, url: str, *, processes: int, goal: float | None) -> Row:
    home = asyncio.run(_a_home(url))
    run = _run(url, [home], attempts=ROOM + BEYOND, processes=processes, whole=False)
    assert run.placed == ROOM, run
    return Row(
        name=f"placement on {name}, {processes} server processes, {CONCURRENT} at a time each",
        figure=run.placed / run.seconds,
        unit="/s",
        goal=goal,
        better="higher",
        detail=f"{run.placed} placements filled {NODES} nodes in {run.seconds:.2f} s, {run.refused} were refused, "
        f"0 nodes overcommitted; {WATCHERS} watchers read anew {run.told} times",
    )


def _spawns(url: str) -> Row:
    homes = asyncio.run(_homes(url))
    run = _run(url, homes, attempts=SPAWNS + SPAWNS // 10, processes=PROCESSES, whole=True)
    assert run.placed == SPAWNS, run
    return Row(
        name=f"whole spawns on Postgres, fsync on, {PROCESSES} server processes, {ORGANIZATIONS} organizations",
        figure=run.placed / run.seconds,
        unit="/s",
        goal=None,
        better="higher",
        detail=f"worker, assignment, audit entry and event each; {run.placed} in {run.seconds:.2f} s, {run.refused} "
        f"refused, 0 nodes overcommitted; {WATCHERS} watchers read anew {run.told} times",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    placed: int
    refused: int
    seconds: float
    told: int


def _run(url: str, homes: Sequence[Home], *, attempts: int, processes: int, whole: bool) -> _Run:
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(
            url=url,
            keyring=f"{folder}/keyring",
            homes=list(homes),
            attempts=attempts // processes,
            watchers=WATCHERS // processes,
            whole=whole,
        )
        outcomes = _outcomes(plan, processes)
    asyncio.run(_refuse_overcommitted(url, homes))
    return _Run(
        placed=sum(each.placed for each in outcomes),
        refused=sum(each.refused for each in outcomes),
        seconds=max(each.seconds for each in outcomes),
        told=sum(each.told for each in outcomes),
    )


def _outcomes(plan: Plan, processes: int) -> list[Outcome]:
    command = [sys.executable, "-m", "benchmarks.placers"]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    try:
        for child in children:
            _tell(child, json.dumps(asdict(plan)))
            assert _hear(child) == "ready"
        for child in children:
            _tell(child, "go")
        return [Outcome(**json.loads(_hear(child))) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()


def _tell(child: "subprocess.Popen[str]", line: str) -> None:
    assert child.stdin is not None
    child.stdin.write(f"{line}\n")
    child.stdin.flush()


def _hear(child: "subprocess.Popen[str]") -> str:
    """The next line that is meant for us; the rest is the child's log."""
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(("ready", '{"placed"')):
            return line.strip()
    raise AssertionError("a placing process ended too early")


async def _a_home(url: str) -> Home:
    """One organization with nodes that hold ROOM placements between them."""
    await upgrade(url)
    store = await SqlStore.open(url, Wakeups(SystemClock()), pool_size=2)
    try:
        tenant = await an_organization(store)
        cpu_millis = ROOM // NODES * DEMAND.cpu_millis
        nodes = [
            await a_connected_node(store, tenant, name=f"node-{number}", cpu_millis=cpu_millis, memory_bytes=2**40)
            for number in range(NODES)
        ]
        return Home(org_id=tenant.org_id, user_id=str(tenant.actor.user_id), node_ids=[node.id for node in nodes])
    finally:
        await store.aclose()


async def _homes(url: str) -> list[Home]:
    """Organizations with a project and a node each, which hold SPAWNS workers between them."""
    await upgrade(url)
    store = await SqlStore.open(url, Wakeups(SystemClock()), pool_size=2)
    cpu_millis, memory_bytes = (each * (SPAWNS // ORGANIZATIONS) for each in WORKER)
    homes: list[Home] = []
    try:
        for _ in range(ORGANIZATIONS):
            tenant = await an_organization(store)
            node = await a_connected_node(store, tenant, name="node", cpu_millis=cpu_millis, memory_bytes=memory_bytes)
            project = await some_workers(store, tenant, node, count=0)
            homes.append(
                Home(
                    org_id=tenant.org_id,
                    user_id=str(tenant.actor.user_id),
                    project_id=project.id,
                    node_ids=[node.id],
                )
            )
        return homes
    finally:
        await store.aclose()


async def _refuse_overcommitted(url: str, homes: Sequence[Home]) -> None:
    store = await SqlStore.open(url, Wakeups(SystemClock()), pool_size=2)
    try:
        async with store.reading() as tx:
            nodes = [await tx.nodes.find(NodeId(node_id)) for home in homes for node_id in home.node_ids]
    finally:
        await store.aclose()
    over = [node for node in nodes if node is not None and _is_overcommitted(node)]
    assert not over, over


def _is_overcommitted(node: Node) -> bool:
    capacity = node.capacity
    assert capacity is not None
    reserved = node.reserved
    return reserved.cpu_millis > capacity.cpu_millis or reserved.memory_bytes > capacity.memory_bytes
