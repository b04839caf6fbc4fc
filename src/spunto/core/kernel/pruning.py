"""Forgetting what is too old, batch by batch and again each hour."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import StaleVersion, Unavailable

PRUNE_SECONDS: Final = 3600.0


async def keep_pruned(prune: Callable[[], Awaitable[int]], *, batch: int, clock: Clock) -> None:
    """Call `prune` until it forgets less than a whole batch, and again each hour, until cancelled.

    A database that is away, and a lost race, cost an hour.
    """
    while True:
        with suppress(Unavailable, StaleVersion):
            while await prune() == batch:
                pass
        await clock.sleep(PRUNE_SECONDS)
