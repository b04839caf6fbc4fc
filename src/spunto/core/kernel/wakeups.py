"""Hints between parts of the server: "look again". State is truth, a hint only saves waiting."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spunto.core.kernel.clock import Clock


class Wakeup:
    """One waiter's view of a topic; hints that come while it is busy are kept, as one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hinted = False
        self._waiting: asyncio.Future[None] | None = None

    def hint(self) -> None:
        self._hinted = True
        self._wake()

    async def wait(self, *, max_seconds: float | None = None, poll_seconds: float | None = None) -> bool:
        """Return at the next hint (at once if one is pending), and whether there was one.

        Without a hint it returns after `max_seconds`, when something is due, or after `poll_seconds`, as a hint may
        have been lost.
        """
        if not self._hinted:
            self._waiting = asyncio.get_running_loop().create_future()
            timers = [
                clock.call_later(seconds, self._wake)
                for clock, seconds in ((self._clock, max_seconds), (self._clock.beats, poll_seconds))
                if seconds is not None
            ]
            try:
                await self._waiting
            finally:
                for timer in timers:
                    timer.cancel()
                self._waiting = None
        was_hinted, self._hinted = self._hinted, False
        return was_hinted

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Wakeups:
    """Topics by name. `pass_on` is told every hint, for the other processes on the same database; where there are any,
    it is set once, and must neither wait nor raise."""

    pass_on: Callable[[str], None] | None = None

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiters: dict[str, set[Wakeup]] = defaultdict(set)
        self._listeners: dict[str, list[Callable[[], None]]] = defaultdict(list)

    @contextmanager
    def subscribe(self, *topics: str) -> Iterator[Wakeup]:
        """One waiter for hints on any of the topics."""
        wakeup = Wakeup(self._clock)
        for topic in topics:
            self._waiters[topic].add(wakeup)
        try:
            yield wakeup
        finally:
            for topic in topics:
                self._waiters[topic].discard(wakeup)
                if not self._waiters[topic]:
                    del self._waiters[topic]

    def listen(self, topic: str, callback: Callable[[], None]) -> None:
        """Call back at every hint on the topic, for as long as this object lives."""
        self._listeners[topic].append(callback)

    def hint(self, topic: str) -> None:
        """Tell everybody: in this process now, and in the others soon."""
        self.heard(topic)
        if self.pass_on is not None:
            self.pass_on(topic)

    def heard(self, topic: str) -> None:
        """Tell everybody in this process."""
        for callback in self._listeners.get(topic, ()):
            callback()
        for wakeup in self._waiters.get(topic, ()):
            wakeup.hint()

    def topics(self) -> set[str]:
        """What anybody in this process waits for."""
        return {*self._listeners, *self._waiters}
