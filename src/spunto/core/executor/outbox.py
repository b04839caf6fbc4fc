"""Holds what a node has to report: the newest word on each subject, sent at once or, if soon outdated, a bit later."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from spunto.core.executor.plan import TRANSIENT
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.crash import crash_point
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.wakeups import Wakeup
from spunto.core.protocol.messages import DiskReport, EngineReport, InventoryItem, ObservedItem, Phase

TRANSIENT_SECONDS = 0.5
_BATCH = 64
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class Reporter(Protocol):
    """The way to the server while there is one. Neither method waits; both raise Unavailable when it has gone."""

    def observed(self, items: Sequence[ObservedItem]) -> None: ...

    def inventory(
        self, items: Sequence[InventoryItem], *, engine: EngineReport, disk: DiskReport | None, sampled_at: datetime
    ) -> None: ...


class Outbox:
    """Holds one item a subject, so that its size is bounded by what stands on the node, connected or not."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, ObservedItem] = {}
        self._unsent: set[str] = set()
        self._later = Wakeup(clock)
        self.reporter: Reporter | None = None

    def phase_of(self, subject_id: str) -> Phase | None:
        """As it was last reported."""
        known = self._known.get(subject_id)
        return None if known is None else known.phase

    def put(self, item: ObservedItem) -> bool:
        """Take a subject's newest observation; one that says nothing new keeps its time and is not sent.

        Gives whether it says something new.
        """
        known = self._known.get(item.id)
        if known is not None and replace(known, at=_ANY_TIME) == replace(item, at=_ANY_TIME):
            return False
        self._known[item.id] = item
        self._unsent.add(item.id)
        if item.phase in TRANSIENT:
            self._later.hint()
        else:
            crash_point("before_report")
            self._flush()
        return True

    def tell_again(self, items: Iterable[ObservedItem]) -> None:
        """Say it although it may have been said: the server asks for less than what is here."""
        for item in items:
            self._known[item.id] = item
            self._unsent.add(item.id)
        self._flush()

    def drop(self, subject_id: str) -> None:
        self._known.pop(subject_id, None)
        self._unsent.discard(subject_id)

    def attach(self, reporter: Reporter) -> None:
        """A new connection hears everything."""
        self.reporter = reporter
        self._unsent = set(self._known)
        self._flush()

    def detach(self, reporter: Reporter) -> None:
        """Send it nothing more, unless a newer one has taken its place."""
        if self.reporter is reporter:
            self.reporter = None

    async def run(self) -> None:
        """Send what was worth waiting for; a spawn that is done sooner reports its end alone."""
        while True:
            await self._later.wait()
            await self._clock.sleep(TRANSIENT_SECONDS)
            self._flush()

    def _flush(self) -> None:
        if self.reporter is None:
            return
        unsent = sorted(self._unsent)
        for start in range(0, len(unsent), _BATCH):
            batch = unsent[start : start + _BATCH]
            try:
                self.reporter.observed([self._known[subject_id] for subject_id in batch])
            except Unavailable:
                self.reporter = None
                return
            self._unsent.difference_update(batch)
