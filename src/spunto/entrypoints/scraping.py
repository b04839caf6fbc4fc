"""What `/metrics` answers: this process's own figures, and a census that is not taken anew for every scrape."""

import asyncio
from contextlib import suppress
from typing import Final

from spunto.adapters.prometheus.metrics import Metrics
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.entrypoints.library import Spunto

CENSUS_SECONDS: Final = 10.0
_LAG_INTERVAL_SECONDS: Final = 0.5


class Scraper:
    def __init__(self, metrics: Metrics, spunto: Spunto, *, clock: Clock) -> None:
        self._metrics = metrics
        self._spunto = spunto
        self._clock = clock
        self._taken_at: float | None = None
        self._taking = asyncio.Lock()

    async def scrape(self) -> bytes:
        """While the database is away, the census stays as it was last."""
        async with self._taking:
            now = self._clock.monotonic()
            if self._taken_at is None or now - self._taken_at >= CENSUS_SECONDS:
                self._taken_at = now
                with suppress(Unavailable):
                    self._metrics.take_census(await self._spunto.census(), now=self._clock.now())
                    self._metrics.take_keys(await self._spunto.rotation.status())
        return self._metrics.text()

    async def watch_loop(self) -> None:
        """Measure until cancelled how late the event loop comes back to who sleeps."""
        while True:
            begun = self._clock.monotonic()
            await self._clock.sleep(_LAG_INTERVAL_SECONDS)
            self._metrics.loop_was_late(max(0.0, self._clock.monotonic() - begun - _LAG_INTERVAL_SECONDS))
