"""Use cases of the audit log and the event feed: reading, following, and forgetting what is too old."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.access.sessions import GRANTS_TOPIC
from spunto.core.activity.events import Event, topic
from spunto.core.activity.model import AuditEntry, AuditFilter
from spunto.core.activity.ports import ActivityTransaction
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError, Unavailable
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.pruning import keep_pruned
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.kernel.wakeups import Wakeups

# Another process's events and revocations are noticed this late at the most.
POLL_SECONDS: Final = 3.0
HEARTBEAT_SECONDS: Final = 15.0
BATCH: Final = 100
KEPT_FOR: Final = timedelta(days=7)
PRUNE_BATCH: Final = 5000
ENDING_TOPIC: Final = "streams_end"
"""Hinted by a stopping server: whoever follows asks again whether it may."""


@dataclass(frozen=True, slots=True)
class Position:
    """The newest number there was when a follower came that did not say where it had been."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Reset:
    """What follows the follower's place is not known any more; it goes on behind `sequence` and should look anew."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing has happened for a while."""


Told: TypeAlias = Position | Reset | Heartbeat | Sequence[Event]
Recognise: TypeAlias = Callable[[], Awaitable[Actor | None]]


class ActivityService:
    def __init__(self, uow: UnitOfWork[ActivityTransaction], *, clock: Clock, wakeups: Wakeups) -> None:
        self._uow = uow
        self._clock = clock
        self._wakeups = wakeups

    async def audit(self, actor: Actor, org_id: OrgId, page: PageRequest, matching: AuditFilter) -> Page[AuditEntry]:
        tenant = actor.require(Action.AUDIT_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.audit.list(tenant, page, matching)

    async def follow(self, recognise: Recognise, org_id: OrgId, *, after: int | None) -> AsyncGenerator[Told, None]:
        """Everything after that number, as it happens, until the follower may not see it any more.

        `recognise` gives the follower as it stands now, None when the server stops, or raises; it is asked before
        anything is read, at least every few seconds. Close the generator in the end.
        """
        with self._wakeups.subscribe(topic(org_id), GRANTS_TOPIC, ENDING_TOPIC) as wakeup:
            told_at = self._clock.monotonic()
            while True:
                told: Told = ()
                try:
                    actor = await recognise()
                    if actor is None:
                        return
                    actor.require(Action.EVENT_READ, org_id=org_id)
                    told = await self._news(org_id, after)
                except Unavailable:
                    # A database that is away takes nobody's rights, and is asked again.
                    told = ()
                except SpuntoError:
                    return
                if not told and self._clock.monotonic() - told_at >= HEARTBEAT_SECONDS:
                    told = Heartbeat()
                if told:
                    yield told
                    after = _place(told, after)
                    told_at = self._clock.monotonic()
                if isinstance(told, Sequence) and len(told) == BATCH:
                    continue
                await wakeup.wait(max_seconds=POLL_SECONDS)

    async def keep_pruned(self) -> None:
        """Forget events that are older than a week, until cancelled."""
        await keep_pruned(self.prune, batch=PRUNE_BATCH, clock=self._clock)

    async def prune(self) -> int:
        """Forget some of the events that are too old; how many."""
        async with self._uow() as tx:
            count = await tx.events.prune(before=self._clock.now() - KEPT_FOR, limit=PRUNE_BATCH)
            await tx.commit()
        return count

    async def _news(self, org_id: OrgId, after: int | None) -> Told:
        async with self._uow.reading() as tx:
            # First, so that what is committed between the two statements is no gap.
            last = await tx.events.last(org_id)
            if after is None:
                return Position(last)
            if after == last:
                return ()
            events = await tx.events.after(org_id, after, limit=BATCH) if after < last else ()
        return events if events and events[0].sequence == after + 1 else Reset(last)


def _place(told: Told, before: int | None) -> int | None:
    match told:
        case Position(sequence) | Reset(sequence):
            return sequence
        case Heartbeat():
            return before
        case _:
            return told[-1].sequence
