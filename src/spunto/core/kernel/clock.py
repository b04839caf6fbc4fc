"""Time as a port: wall clock for what is stored, monotonic clock for deadlines, sleeping, and timers."""

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

_MICROS = 1_000_000


class Timer(Protocol):
    def cancel(self) -> None:
        """Make sure that it does not call any more. Repeating, or after the call, is harmless."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go backwards; only differences mean something."""

    async def sleep(self, seconds: float) -> None: ...

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once after that time, from the running loop. A timer costs far less than a task that sleeps."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, call)


class _ManualTimer:
    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    @property
    def is_over(self) -> bool:
        return self._call is None

    def cancel(self) -> None:
        self._call = None

    def fire(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


class ManualClock:
    """Time that stands still until somebody advances it. Sleepers wake in the order of their hour.

    It counts whole microseconds, as `datetime` does: with fractions a sleeper could wake just before its hour.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_micros = 0
        self._order = itertools.count()
        self._timers: list[tuple[int, int, _ManualTimer]] = []

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self._elapsed_micros)

    def monotonic(self) -> float:
        return self._elapsed_micros / _MICROS

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, partial(_wake, woken))
        try:
            await woken
        finally:
            timer.cancel()

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        if seconds <= 0:
            return asyncio.get_running_loop().call_soon(call)
        due_micros = self._elapsed_micros + math.ceil(seconds * _MICROS)
        timer = _ManualTimer(call)
        heapq.heappush(self._timers, (due_micros, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move time forward, call the timers and wake the sleepers that are due; sleepers go on when the loop runs."""
        self._elapsed_micros += round(seconds * _MICROS)
        while self._timers and self._timers[0][0] <= self._elapsed_micros:
            _, _, timer = heapq.heappop(self._timers)
            timer.fire()

    def next_wake_seconds(self) -> float | None:
        """How far to advance until a timer is due or somebody wakes; None when there is nobody."""
        while self._timers and self._timers[0][2].is_over:
            heapq.heappop(self._timers)
        return (self._timers[0][0] - self._elapsed_micros) / _MICROS if self._timers else None


def _wake(sleeper: asyncio.Future[None]) -> None:
    # A cancelled sleeper gets here before it has cancelled its timer.
    if not sleeper.done():
        sleeper.set_result(None)
