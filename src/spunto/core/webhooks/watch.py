"""Notices which webhooks have something to be told, and forgets deliveries that are too old."""

from contextlib import suppress
from datetime import timedelta
from typing import Final

from spunto.core.activity.events import ANY_TOPIC
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import StaleVersion, Unavailable
from spunto.core.kernel.pruning import keep_pruned
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.webhooks.courier import KIND
from spunto.core.webhooks.ports import WebhooksTransaction

# Another process's events are noticed this late at the most.
POLL_SECONDS: Final = 5.0
# Events come in crowds, and one look is enough for a crowd.
GATHER_SECONDS: Final = 0.05
KEPT_FOR: Final = timedelta(days=7)
_BATCH: Final = 500
_PRUNE_BATCH: Final = 5000


class WebhookWatch:
    """Compares each webhook's place with the end of its feed; so nothing is missed, whoever wrote an event."""

    def __init__(self, uow: UnitOfWork[WebhooksTransaction], *, clock: Clock, wakeups: Wakeups) -> None:
        self._uow = uow
        self._clock = clock
        self._wakeups = wakeups

    async def run(self) -> None:
        """Look whenever something happened, until cancelled."""
        with self._wakeups.subscribe(ANY_TOPIC) as wakeup:
            while True:
                with suppress(Unavailable, StaleVersion):
                    await self.look()
                if await wakeup.wait(poll_seconds=POLL_SECONDS):
                    await self._clock.sleep(GATHER_SECONDS)

    async def look(self) -> int:
        """Make the webhooks due that have not read to the end; how many. Raises Unavailable, StaleVersion."""
        count, after = 0, ""
        while True:
            async with self._uow.reading() as tx:
                behind = await tx.webhooks.behind(after=after, limit=_BATCH)
            if behind:
                async with self._uow() as tx:
                    for webhook_id in behind:
                        await tx.due.add(KIND, webhook_id, at=self._clock.now())
                    await tx.commit()
            count += len(behind)
            if len(behind) < _BATCH:
                return count
            after = behind[-1]

    async def keep_pruned(self) -> None:
        """Forget deliveries that ended and are older than a week, until cancelled."""
        await keep_pruned(self.prune, batch=_PRUNE_BATCH, clock=self._clock)

    async def prune(self) -> int:
        """Forget some; how many."""
        async with self._uow() as tx:
            count = await tx.deliveries.prune(before=self._clock.now() - KEPT_FOR, limit=_PRUNE_BATCH)
            await tx.commit()
        return count
