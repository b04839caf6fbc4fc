"""`spunto edge create | list | remove`: errands on the database, with or without servers running on it.

Each raises SpuntoError for what it is refused for, and prints for people unless JSON is asked for.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from spunto.core.kernel.clock import SystemClock
from spunto.core.routes.model import Edge
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.databases import existing
from spunto.entrypoints.serving.failures import errand
from spunto.entrypoints.serving.settings import Settings

Work = Callable[[Spunto], Awaitable[None]]


def create(name: str, url: str | None = None, *, as_json: bool = False) -> None:
    """Register an edge and print its token, which is not shown again."""

    async def work(spunto: Spunto) -> None:
        edge, token = await spunto.edges.create(name)
        told = token.reveal()
        _print(json.dumps({**_wire(edge, SystemClock().now()), "token": told}) if as_json else told)

    _run(work, url)


def list_all(url: str | None = None, *, as_json: bool = False) -> None:
    """Print each edge with what is known of it."""

    async def work(spunto: Spunto) -> None:
        now, edges = SystemClock().now(), await spunto.edges.all()
        if as_json:
            _print(json.dumps({"items": [_wire(edge, now) for edge in edges]}))
            return
        for edge in edges:
            _print(_line(edge, now))

    _run(work, url)


def remove(name: str, url: str | None = None, *, as_json: bool = False) -> None:
    """Have the edge's token end at once, and its connection within seconds."""

    async def work(spunto: Spunto) -> None:
        edge = await spunto.edges.remove(name)
        _print(json.dumps(_wire(edge, SystemClock().now())) if as_json else f"Removed the edge {edge.name}.")

    _run(work, url)


def _run(work: Work, url: str | None) -> None:
    errand(lambda: asyncio.run(_beside_a_server(work, url)))


async def _beside_a_server(work: Work, url: str | None) -> None:
    settings = Settings()
    database = existing(url or settings.database)
    async with Spunto.beside_a_server(database, keyring=settings.keyring_file) as spunto:
        await work(spunto)


def _wire(edge: Edge, now: datetime) -> Mapping[str, Any]:
    return {
        "id": edge.id,
        "name": edge.name,
        "state": _state(edge, now),
        "url": edge.url or None,
        "createdAt": _instant(edge.created_at),
        "seenAt": _instant(edge.seen_at),
    }


def _line(edge: Edge, now: datetime) -> str:
    seen = _instant(edge.seen_at) or "never"
    return f"{edge.id}  {edge.name}  {_state(edge, now):9}  last seen {seen}  {edge.url}".rstrip()


def _state(edge: Edge, now: datetime) -> str:
    return "connected" if edge.is_alive(now) else "away"


def _instant(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _print(line: str) -> None:
    print(line)  # noqa: T201 - asked for
