"""`spunto edge create | list | remove`: errands on the database, with or without servers running on it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from spunto.core.kernel.clock import SystemClock
from spunto.core.routes.model import Edge
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.failures import ended
from spunto.entrypoints.serving.settings import Settings

Errand = Callable[[Spunto], Awaitable[None]]


def create(name: str, url: str | None = None) -> int:
    """Register an edge and print its token, which is not shown again; the exit code."""

    async def errand(spunto: Spunto) -> None:
        _, token = await spunto.edges.create(name)
        print(token.reveal())  # noqa: T201 - asked for

    return _run(errand, url)


def list_all(url: str | None = None) -> int:
    """Print each edge with what is known of it; the exit code."""

    async def errand(spunto: Spunto) -> None:
        now = SystemClock().now()
        for edge in await spunto.edges.all():
            print(_line(edge, now))  # noqa: T201 - asked for

    return _run(errand, url)


def remove(name: str, url: str | None = None) -> int:
    """Have the edge's token end at once, and its connection within seconds; the exit code."""

    async def errand(spunto: Spunto) -> None:
        await spunto.edges.remove(name)
        print(f"Removed the edge {name}.")  # noqa: T201 - asked for

    return _run(errand, url)


def _run(errand: Errand, url: str | None) -> int:
    return ended(lambda: asyncio.run(_beside_a_server(errand, url)))


async def _beside_a_server(errand: Errand, url: str | None) -> None:
    settings = Settings()
    async with Spunto.beside_a_server(url or settings.database, keyring=settings.keyring_file) as spunto:
        await errand(spunto)


def _line(edge: Edge, now: datetime) -> str:
    state = "connected" if edge.is_alive(now) else "away"
    seen = "never" if edge.seen_at is None else f"{edge.seen_at:%Y-%m-%dT%H:%M:%SZ}"
    return f"{edge.id}  {edge.name}  {state:9}  last seen {seen}  {edge.url}".rstrip()
