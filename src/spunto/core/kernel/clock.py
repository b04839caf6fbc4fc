"""Time as a port: wall clock for what is stored, monotonic clock for deadlines, and sleeping."""

import asyncio
import heapq
import itertools
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_MICROS = 1_000_000


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go backwards; only differences mean something."""

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """Time that stands still until somebody advances it. Sleepers wake in the order of their hour.

    It counts whole microseconds, as `datetime` does: with fractions a sleeper could wake just before its hour.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_micros = 0
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self._elapsed_micros)

    def monotonic(self) -> float:
        return self._elapsed_micros / _MICROS

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        due_micros = self._elapsed_micros + math.ceil(seconds * _MICROS)
        heapq.heappush(self._sleepers, (due_micros, next(self._order), woken))
        await woken

    def advance(self, seconds: float) -> None:
        """Move time forward and wake who is due. What they then do happens as soon as the loop runs."""
        self._elapsed_micros += round(seconds * _MICROS)
        while self._sleepers and self._sleepers[0][0] <= self._elapsed_micros:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)

    def next_wake_seconds(self) -> float | None:
        """How far to advance until somebody wakes; None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return (self._sleepers[0][0] - self._elapsed_micros) / _MICROS if self._sleepers else None
