"""What recognising an API key costs: of a list of 50 workers, and by itself.

The list is asked of one server process (`benchmarks.open_door`) with the key, and without any credential, in turns. The
difference is authentication alone: one header more, patience with bad credentials, taking the token apart, recognising
it, and a copy of the actor for the request. Routing, permissions, queries, figures and log are on both sides. What is
compared is the server's processor time for each request, because the rate depends on what else the machine does.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import uvloop

from benchmarks.figures import Row, median, spread
from benchmarks.listing import WORKERS, listed_workers
from benchmarks.load import load
from benchmarks.stack import Server, busy_seconds, organization, postgres_database, server
from spunto.core.access.api_keys import OwnerType
from spunto.core.access.model import OrgId
from spunto.core.access.policy import Scope
from spunto.core.access.sessions import GRANTS_TOPIC
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.library import Spunto

SECONDS = 1
ROUNDS = 15
CHECKS = 2000
MOST_ADDED = 1.15
MOST_SECONDS = 0.3e-3


def measure() -> list[Row]:
    with server(module="benchmarks.open_door") as on_sqlite:
        rows = [_list_row("SQLite", on_sqlite, None)]
    with postgres_database() as url, server(module="benchmarks.open_door", database_url=url) as on_postgres:
        rows.append(_list_row("Postgres", on_postgres, url))
    with tempfile.TemporaryDirectory() as folder, postgres_database() as url:
        rows += _check_rows("SQLite", f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}", Path(folder))
        rows += _check_rows("Postgres", url, Path(folder))
    return rows


def _list_row(name: str, running: Server, database_url: str | None) -> Row:
    with httpx.Client(headers=running.headers) as client:
        org_id = organization(client, running)
        asked = {"name": "bench", "ownerType": "user", "scopes": [Scope.WORKERS_READ.value]}
        made = client.post(f"{running.url}/api/orgs/{org_id}/api-keys", json=asked).raise_for_status().json()
    target = listed_workers(running, OrgId(org_id), database_url)
    key = {"Authorization": f"Bearer {made['token']}"}
    with_key: list[float] = []
    without: list[float] = []
    # The first request shows the key to the server.
    _ = httpx.get(target, headers=key).raise_for_status()
    for number in range(ROUNDS):
        # Neither is always the first of the two.
        for headers, costs in ((({}, without), (key, with_key)), ((key, with_key), ({}, without)))[number % 2]:
            costs.append(_cost(running, target, headers))
    return Row(
        name=f"list of {WORKERS} workers on {name} with an API key, against the same without authentication",
        figure=median([ours / theirs for ours, theirs in zip(with_key, without, strict=True)]),
        unit="×",
        goal=MOST_ADDED,
        better="lower",
        detail=f"processor time of a request: with {_micros(with_key)}, without {_micros(without)}; median of pairs",
    )


def _cost(running: Server, url: str, headers: dict[str, str]) -> float:
    """Seconds for which one request keeps a core busy."""
    before = busy_seconds(running.pid)
    answered = load(url, headers, seconds=SECONDS)
    return (busy_seconds(running.pid) - before) / answered.requests


def _check_rows(name: str, url: str, folder: Path) -> list[Row]:
    remembered, looked_up = uvloop.run(_checks(url, keyring=folder / f"{name}.keyring"))
    return [
        _check_row(f"check of an API key on {name}", remembered),
        _check_row(f"check of an API key on {name}, not remembered", looked_up),
    ]


def _check_row(name: str, seconds: list[float]) -> Row:
    return Row(
        name=f"{name}, p50",
        figure=median(seconds) * 1000,
        unit="ms",
        goal=MOST_SECONDS * 1000,
        better="lower",
        detail=_micros(seconds),
    )


async def _checks(url: str, *, keyring: Path) -> tuple[list[float], list[float]]:
    """Each check of a key that came less than a second ago, and of one that has to be looked up."""
    async with Spunto.on_database(url, keyring=keyring) as spunto:
        owner, in_organization = await spunto.bootstrap()
        made = await spunto.api_keys.create(
            owner,
            in_organization.id,
            name="bench",
            owner_type=OwnerType.USER,
            scopes=frozenset({Scope.WORKERS_READ}),
        )
        # As the door has it: made of the header, for this request.
        text = made.token.reveal()

        async def check() -> None:
            await spunto.access.authenticate(Secret(text), request_id="bench")

        def forget() -> None:
            spunto.wakeups.hint(GRANTS_TOPIC)

        await check()
        remembered = [await _timed(check) for _ in range(CHECKS)]
        looked_up = []
        for _ in range(CHECKS):
            forget()
            looked_up.append(await _timed(check))
            # Others have their turn, such as whoever writes down that the key was used.
            await asyncio.sleep(0)
    return remembered, looked_up


async def _timed(check: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await check()
    return time.perf_counter() - begun


def _micros(seconds: list[float]) -> str:
    return spread(seconds, scale=1e6, unit="µs")
