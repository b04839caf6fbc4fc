"""WebSockets to the worker's port that are talked on all the time, by whoever holds a credential."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.chaos.edges.region import EDGE_PORT, EdgeOn, Region
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

_PACE_SECONDS = 0.2
_PATIENCE_SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class Talk:
    """`echoes` counts what came back, `longest` is the longest time between two, in seconds. `ended_at` is of the
    monotonic clock, and `clean` says whether the other end took its leave."""

    echoes: int = 0
    longest: float = 0.0
    ended_at: float | None = None
    clean: bool = False
    refusal: str = ""
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lives(self) -> bool:
        return self.ended_at is None

    async def run(self, region: Region, edge: EdgeOn, headers: Mapping[str, str]) -> None:
        """Until it is cancelled or the connection ends."""
        try:
            async with connect(
                f"ws://{region.host}/socket",
                host=edge.host.address,
                port=EDGE_PORT,
                # As a page of the port itself.
                additional_headers={**headers, "Origin": f"http://{region.host}"},
                ping_interval=None,
                compression=None,
                close_timeout=1,
                open_timeout=_PATIENCE_SECONDS,
            ) as socket:
                while True:
                    asked_at = time.monotonic()
                    await socket.send(f"{self.echoes}")
                    assert await socket.recv() == f"{self.echoes}"
                    self.echoes += 1
                    self.longest = max(self.longest, time.monotonic() - asked_at)
                    self.begun.set()
                    await asyncio.sleep(_PACE_SECONDS)
        except ConnectionClosed as error:
            self.clean = error.rcvd is not None
        except (InvalidHandshake, OSError, TimeoutError) as error:
            self.refusal = repr(error)
        self.ended_at = time.monotonic()
        self.begun.set()


@asynccontextmanager
async def talking(
    region: Region, edge: EdgeOn, headers: Mapping[str, str], *, sockets: int = 1
) -> AsyncIterator[list[Talk]]:
    """So many at once, each with its first echo behind it; they end with the block."""
    talks = [Talk() for _ in range(sockets)]
    running = [asyncio.create_task(talk.run(region, edge, headers), name="talk") for talk in talks]
    try:
        async with asyncio.timeout(3 * _PATIENCE_SECONDS):
            await asyncio.gather(*(talk.begun.wait() for talk in talks))
        assert all(talk.lives for talk in talks), {talk.refusal for talk in talks}
        yield talks
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
