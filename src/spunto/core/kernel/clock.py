"""Time as a port: wall clock for what is stored, monotonic clock for deadlines, sleeping, and timers."""

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Protocol

_MICROS: Final = 1_000_000
# All beats of the product divide it: heartbeats, lists, leases, polls.
CYCLE_SECONDS: Final = 120
# Longer than anybody waits for a sign of life, and than two of every beat that looks for something.
QUIET_SECONDS: Final = 120


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

    @property
    def beats(self) -> "Clock":
        """The same clock for what comes round for ever and finds nothing to do unless something happened: heartbeats,
        polls, leases. A test's clock may pass over many of these at once; `monotonic` here does not count that time.
        """


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

    @property
    def beats(self) -> "SystemClock":
        return self


class _ManualTimer:
    __slots__ = ("_call", "_clock", "is_beat")

    def __init__(self, clock: "ManualClock", call: Callable[[], None], *, is_beat: bool) -> None:
        self._clock = clock
        self._call: Callable[[], None] | None = call
        self.is_beat = is_beat

    @property
    def is_over(self) -> bool:
        return self._call is None

    def cancel(self) -> None:
        if self._call is not None and self.is_beat:
            # Whoever waited for the next beat has something to do now.
            self._clock.stir()
        self._call = None

    def fire(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            if not self.is_beat:
                self._clock.stir()
            call()


class ManualClock:
    """Time that stands still until somebody advances it. Sleepers wake in the order of their hour.

    It counts whole microseconds, as `datetime` does: with fractions a sleeper could wake just before its hour.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self.elapsed_micros = 0
        self._stirred_at_micros = 0
        self._order = itertools.count()
        self._timers: list[tuple[int, int, _ManualTimer]] = []
        self.beats = ManualBeats(self)

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self.elapsed_micros)

    def monotonic(self) -> float:
        return self.elapsed_micros / _MICROS

    async def sleep(self, seconds: float) -> None:
        await _sleep(self, seconds)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        return self.set_timer(seconds, call, is_beat=False)

    def set_timer(self, seconds: float, call: Callable[[], None], *, is_beat: bool) -> Timer:
        if seconds <= 0:
            return asyncio.get_running_loop().call_soon(call)
        due_micros = self.elapsed_micros + math.ceil(seconds * _MICROS)
        timer = _ManualTimer(self, call, is_beat=is_beat)
        heapq.heappush(self._timers, (due_micros, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move time forward, call the timers and wake the sleepers that are due; sleepers go on when the loop runs."""
        self.elapsed_micros += round(seconds * _MICROS)
        while self._timers and self._timers[0][0] <= self.elapsed_micros:
            _, _, timer = heapq.heappop(self._timers)
            timer.fire()

    def next_wake_seconds(self) -> float | None:
        """How far to advance until a timer is due or somebody wakes; None when there is nobody."""
        while self._timers and self._timers[0][2].is_over:
            heapq.heappop(self._timers)
        return (self._timers[0][0] - self.elapsed_micros) / _MICROS if self._timers else None

    def stir(self) -> None:
        """Something happens that is no beat: whatever it leads to takes its time, beat by beat."""
        self._stirred_at_micros = self.elapsed_micros

    def pass_over_beats(self, max_seconds: float) -> float:
        """Let time pass at once for which only beats are due, and tell how much; none while something may be going on.

        Whole cycles pass, so that every beat comes at the moments at which it would have come; their timers move along.
        """
        if self.elapsed_micros - self._stirred_at_micros < QUIET_SECONDS * _MICROS:
            return 0.0
        due = (due - self.elapsed_micros for due, _, timer in self._timers if not timer.is_over and not timer.is_beat)
        cycle_micros = CYCLE_SECONDS * _MICROS
        passed_micros = min((round(max_seconds * _MICROS), *due)) // cycle_micros * cycle_micros
        if passed_micros <= 0:
            return 0.0
        self.elapsed_micros += passed_micros
        self.beats.passed_micros += passed_micros
        self._timers = [
            (due + passed_micros if timer.is_beat else due, order, timer) for due, order, timer in self._timers
        ]
        heapq.heapify(self._timers)
        return passed_micros / _MICROS


class ManualBeats:
    """A ManualClock for what beats."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.passed_micros = 0

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return (self._clock.elapsed_micros - self.passed_micros) / _MICROS

    async def sleep(self, seconds: float) -> None:
        await _sleep(self, seconds)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        return self._clock.set_timer(seconds, call, is_beat=True)

    @property
    def beats(self) -> "ManualBeats":
        return self


async def _sleep(clock: Clock, seconds: float) -> None:
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    woken = asyncio.get_running_loop().create_future()
    timer = clock.call_later(seconds, partial(_wake, woken))
    try:
        await woken
    finally:
        timer.cancel()


def _wake(sleeper: asyncio.Future[None]) -> None:
    # A cancelled sleeper gets here before it has cancelled its timer.
    if not sleeper.done():
        sleeper.set_result(None)
