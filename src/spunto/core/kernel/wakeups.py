"""Hints between parts of one process: "look again". State is truth, a hint only saves waiting."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spunto.core.kernel.clock import Clock


class Wakeup:
    """One waiter's view of a topic; hints that come while it is busy are kept, as one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hinted = asyncio.Event()

    def hint(self) -> None:
        self._hinted.set()

    async def wait(self, *, max_seconds: float) -> None:
        """Return at the next hint (at once if one is pending), or after the time at the latest."""
        if not self._hinted.is_set():
            sleeping = asyncio.ensure_future(self._clock.sleep(max_seconds))
            hinted = asyncio.ensure_future(self._hinted.wait())
            try:
                await asyncio.wait({sleeping, hinted}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
                hinted.cancel()
                await asyncio.gather(sleeping, hinted, return_exceptions=True)
        self._hinted.clear()


class Wakeups:
    """Topics by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiters: dict[str, set[Wakeup]] = defaultdict(set)
        self._listeners: dict[str, list[Callable[[], None]]] = defaultdict(list)

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[Wakeup]:
        wakeup = Wakeup(self._clock)
        self._waiters[topic].add(wakeup)
        try:
            yield wakeup
        finally:
            self._waiters[topic].discard(wakeup)
            if not self._waiters[topic]:
                del self._waiters[topic]

    def listen(self, topic: str, callback: Callable[[], None]) -> None:
        """Call back at every hint on the topic, for as long as this object lives."""
        self._listeners[topic].append(callback)

    def hint(self, topic: str) -> None:
        for callback in self._listeners.get(topic, ()):
            callback()
        for wakeup in self._waiters.get(topic, ()):
            wakeup.hint()
