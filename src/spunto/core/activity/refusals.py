"""Who was refused what, noted without making anybody wait, and written a moment later."""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.activity.model import AuditEntry, Auditor, Outcome
from spunto.core.activity.ports import ActivityTransaction
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import StaleVersion, Unavailable
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.kernel.wakeups import Wakeups

REPEATED_WITHIN_SECONDS: Final = 60.0
MAX_WAITING: Final = 10_000
_TOPIC: Final = "refusals"
_RETRY_SECONDS: Final = 5.0
_BATCH: Final = 500


@dataclass(slots=True)
class _Repeats:
    """The same refusal again and again: the first is written at once, the others as one when the minute is over."""

    until: float
    newest: AuditEntry
    count: int = 0


class Refusals:
    """Bounded: repeats of one refusal are counted, and while the database is away the oldest of too many are lost."""

    def __init__(
        self, uow: UnitOfWork[ActivityTransaction], *, auditor: Auditor, clock: Clock, wakeups: Wakeups
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._wakeups = wakeups
        self._auditor = auditor
        self._recent: dict[tuple[str, ...], _Repeats] = {}
        self._waiting: deque[AuditEntry] = deque(maxlen=MAX_WAITING)

    def note(self, actor: Actor, org_id: OrgId, action: Action, *, target_id: str, code: str) -> None:
        """Somebody was refused. Says nothing of whether the organization exists, nor takes longer if it does."""
        entry = self._auditor.entry(actor, org_id, action, target_id, outcome=Outcome.REFUSED, detail={"code": code})
        key = (org_id, actor.credential_id, action, target_id, code)
        repeats = self._recent.get(key)
        if repeats is not None and self._clock.monotonic() < repeats.until:
            repeats.newest = entry
            repeats.count += 1
            return
        if repeats is not None:
            self._end(key)
        elif len(self._recent) >= MAX_WAITING:
            self._end(next(iter(self._recent)))
        self._recent[key] = _Repeats(until=self._clock.monotonic() + REPEATED_WITHIN_SECONDS, newest=entry)
        self._waiting.append(entry)
        self._wakeups.hint(_TOPIC)

    async def run(self) -> None:
        """Write what is noted, until cancelled; then the rest."""
        try:
            with self._wakeups.subscribe(_TOPIC) as wakeup:
                while True:
                    try:
                        await self.flush()
                    except (Unavailable, StaleVersion):
                        await self._clock.sleep(_RETRY_SECONDS)
                        continue
                    await wakeup.wait(max_seconds=REPEATED_WITHIN_SECONDS if self._recent else None)
        finally:
            for key in list(self._recent):
                self._end(key)
            with suppress(Unavailable, StaleVersion):
                await self._write_all()

    async def flush(self) -> None:
        """Write what waits. Raises Unavailable; nothing is lost then."""
        now = self._clock.monotonic()
        for key in [key for key, repeats in self._recent.items() if repeats.until <= now]:
            self._end(key)
        await self._write_all()

    async def _write_all(self) -> None:
        while self._waiting:
            batch = [self._waiting[place] for place in range(min(_BATCH, len(self._waiting)))]
            async with self._uow() as tx:
                await tx.audit.add_where_known(batch)
                await tx.commit()
            for entry in batch:
                # What was pushed out meanwhile is gone already.
                if self._waiting and self._waiting[0] is entry:
                    self._waiting.popleft()

    def _end(self, key: tuple[str, ...]) -> None:
        repeats = self._recent.pop(key)
        if repeats.count:
            newest = repeats.newest
            self._waiting.append(replace(newest, detail={**newest.detail, "repeated": str(repeats.count)}))
