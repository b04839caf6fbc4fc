"""Callers who wait for a thing to arrive where it is on its way to."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.wakeups import Wakeups

MAX_WAITING: Final = 1000
# A lost hint costs no more than that.
_LOOK_AGAIN_SECONDS: Final = 5.0


class Waits:
    """All the waiting of a process, whatever for, so that all of it is bounded."""

    def __init__(self, *, wakeups: Wakeups, clock: Clock) -> None:
        self._wakeups = wakeups
        self._clock = clock
        self._waiting = 0

    async def over(self, topic: str, is_under_way: Callable[[], Awaitable[bool]], *, max_seconds: float) -> None:
        """Return once it is under way no more, or the time is over; hints on the topic say when to look again.

        Beyond a thousand waiters of this process nobody else waits: they are told how it is at once.
        """
        if self._waiting >= MAX_WAITING:
            return
        self._waiting += 1
        try:
            await self._wait(topic, is_under_way, max_seconds=max_seconds)
        finally:
            self._waiting -= 1

    async def _wait(self, topic: str, is_under_way: Callable[[], Awaitable[bool]], *, max_seconds: float) -> None:
        until = self._clock.now() + timedelta(seconds=max_seconds)
        with self._wakeups.subscribe(topic) as wakeup:
            while await is_under_way():
                left_seconds = (until - self._clock.now()).total_seconds()
                if left_seconds <= 0:
                    return
                await wakeup.wait(max_seconds=min(left_seconds, _LOOK_AGAIN_SECONDS))
