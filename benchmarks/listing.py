"""The list of 50 workers, 32 connections, one server process: requests per second, beside Quart's own hello.

As it is in earnest: default limits, many API keys, a connected node, and a worker that changes each second.
"""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx

from benchmarks.figures import Row, median
from benchmarks.load import CONNECTIONS, load
from benchmarks.seed import a_connected_node, some_workers
from benchmarks.stack import Server, free_port, organization, postgres_database, process, server, wait_until_ready
from spunto.adapters.sql.store import SqlStore
from spunto.core.access.model import Actor, ActorKind, OrgId
from spunto.core.access.policy import Action, Role, Scope
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.wakeups import Wakeups

SECONDS = 5
ROUNDS = 3
WORKERS = 50
KEYS = 128
GOAL = 0.45


def measure() -> list[Row]:
    with _hello() as hello:
        with server(rate_limits="on") as on_sqlite:
            sqlite = _row("SQLite", on_sqlite, None, hello)
        with postgres_database() as url, server(database_url=url, rate_limits="on") as on_postgres:
            postgres = _row("Postgres", on_postgres, url, hello)
    return [sqlite, postgres]


def _row(name: str, running: Server, database_url: str | None, hello: str) -> Row:
    with httpx.Client(headers=running.headers) as client:
        org_id = organization(client, running)
    target = listed_workers(running, OrgId(org_id), database_url)
    tokens = asyncio.run(_tokens(running, org_id))
    ours, reference = [], []
    with _a_change_each_second(running, target):
        for _ in range(ROUNDS):
            reference.append(load(hello, {}, seconds=SECONDS).per_second)
            ours.append(load(target, {}, seconds=SECONDS, tokens=tokens).per_second)
    return Row(
        name=f"list of {WORKERS} workers on {name} against Quart's hello, {CONNECTIONS} connections, one process",
        figure=median(ours) / median(reference),
        unit="×",
        goal=GOAL,
        better="higher",
        detail=f"ours {median(ours):.0f}/s; hello {median(reference):.0f}/s; medians of {ROUNDS}",
    )


def listed_workers(running: Server, org_id: OrgId, database_url: str | None) -> str:
    """The address of a list of ready workers, put there for it."""
    url = database_url or f"sqlite+aiosqlite:///{running.data_dir / 'spunto.db'}"
    project_id = asyncio.run(_seed(url, org_id))
    target = f"{running.url}/api/orgs/{org_id}/projects/{project_id}/workers"
    listed = httpx.get(target, headers=running.headers).json()["items"]
    assert len(listed) == WORKERS, len(listed)
    return target


async def _tokens(running: Server, org_id: str) -> list[str]:
    """API keys, so many that the default limits let all that is asked for pass."""
    asked = {"ownerType": "user", "scopes": [Scope.WORKERS_READ.value]}
    tokens: list[str] = []
    async with httpx.AsyncClient(headers=running.headers) as client:
        while len(tokens) < KEYS:
            made = await client.post(
                f"{running.url}/api/orgs/{org_id}/api-keys", json={**asked, "name": f"bench {len(tokens)}"}
            )
            if made.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                await asyncio.sleep(float(made.headers["Retry-After"]))
            else:
                tokens.append(made.raise_for_status().json()["token"])
    return tokens


@contextmanager
def _a_change_each_second(running: Server, target: str) -> Iterator[None]:
    ending = threading.Event()

    def change() -> None:
        with httpx.Client(headers=running.headers) as client:
            # Making the keys has used up what the session may ask at once.
            while (listed := client.get(target)).status_code == HTTPStatus.TOO_MANY_REQUESTS:
                ending.wait(float(listed.headers["Retry-After"]))
            workers = listed.raise_for_status().json()["items"]
            for number in itertools.count():
                if ending.wait(1):
                    return
                worker = workers[number % len(workers)]
                client.patch(f"{target}/{worker['id']}", json={"name": f"changed-{number}"}).raise_for_status()

    changing = threading.Thread(target=change)
    changing.start()
    try:
        yield
    finally:
        ending.set()
        changing.join()


async def _seed(url: str, org_id: OrgId) -> str:
    store = await SqlStore.open(url, Wakeups(SystemClock()), pool_size=2)
    try:
        async with store.reading() as tx:
            owner = await tx.members.find_user_by_email("owner@localhost")
        assert owner is not None
        actor = Actor(kind=ActorKind.USER, user_id=owner.id, credential_id="bench", roles={org_id: Role.OWNER})
        tenant = actor.require(Action.ORG_READ, org_id=org_id)
        node = await a_connected_node(store, tenant, name="bench", cpu_millis=10**6, memory_bytes=2**40)
        return (await some_workers(store, tenant, node, count=WORKERS)).id
    finally:
        await store.aclose()


@contextmanager
def _hello() -> Iterator[str]:
    """The least that Quart on Hypercorn does, in a process of its own."""
    port = free_port()
    with process("benchmarks.hello", str(port), environment={}):
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url)
        yield url
