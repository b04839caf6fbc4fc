"""What edges have done with workers for somebody: kept them busy, and woken them."""

from contextlib import suppress
from datetime import timedelta
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import StaleVersion
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.routes.asking import Source
from spunto.core.workers import saving
from spunto.core.workers.model import Activity, WorkerId
from spunto.core.workers.ports import WorkersTransaction

_EVERY: Final = timedelta(seconds=30)
_ACTIVITIES: Final = {
    Source.HTTP: Activity.HTTP,
    Source.WEBSOCKET: Activity.WEBSOCKET,
    Source.TERMINAL: Activity.TERMINAL,
    Source.SSH: Activity.SSH,
}


class WorkerUses:
    def __init__(self, uow: UnitOfWork[WorkersTransaction], *, clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def note(self, subject_id: str, source: Source) -> None:
        """Keep that it was used just now, twice a minute at most. One that is not there is passed over."""
        now = self._clock.now()
        async with self._uow.reading() as tx:
            worker = await tx.workers.find(WorkerId(subject_id))
        if worker is None or now - worker.last_activity_at < _EVERY:
            return
        # Whoever changed it meanwhile was no less lately there, and the next use is noted.
        with suppress(StaleVersion):
            async with self._uow() as tx:
                await saving.save(tx, worker.used(_ACTIVITIES[source], at=now), at=now)
                await tx.commit()
