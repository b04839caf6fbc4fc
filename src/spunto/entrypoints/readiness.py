"""Whether this process should be given work: while it stops, or can't keep what it is told, it should not."""

import asyncio
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.library import Spunto

READY_SECONDS: Final = 2.0
# Probes ask often and anybody may, so that a change is tried seldom, and sooner after one that failed.
WRITABLE_FOR_SECONDS: Final = 5.0
NOT_WRITABLE_FOR_SECONDS: Final = 1.0


class DatabaseReadiness:
    def __init__(self, spunto: Spunto, *, clock: Clock) -> None:
        self._spunto = spunto
        self._clock = clock
        self._lock = asyncio.Lock()
        self._tried_until = 0.0
        self._obstacle: str | None = None

    async def obstacle(self) -> str | None:
        """A sentence; None where there is none. Takes at most a few seconds."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._spunto.check_database()
        except (SpuntoError, TimeoutError):
            return "The database does not answer."
        async with self._lock:
            if self._clock.monotonic() >= self._tried_until:
                self._obstacle = await self._try_to_write()
                good_for_seconds = WRITABLE_FOR_SECONDS if self._obstacle is None else NOT_WRITABLE_FOR_SECONDS
                self._tried_until = self._clock.monotonic() + good_for_seconds
            return self._obstacle

    async def _try_to_write(self) -> str | None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._spunto.require_writable()
        except (SpuntoError, TimeoutError):
            return "The database takes no changes; its disk may be full, or another program keeps it locked."
        return None
