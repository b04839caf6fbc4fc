"""What was done with workers for somebody, told by edges and by those who reach into them."""

from contextlib import suppress
from datetime import timedelta
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import StaleVersion
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.routes.asking import Source
from spunto.core.workers import saving
from spunto.core.workers.idle import is_news
from spunto.core.workers.model import Activity, WorkerId
from spunto.core.workers.ports import WorkersTransaction

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
        """What an edge tells. One that is not there is passed over."""
        await self.used(WorkerId(subject_id), _ACTIVITIES[source])

    async def used(self, worker_id: WorkerId, activity: Activity, *, for_seconds: float = 0) -> None:
        """Keep that it is used just now, and for that long at most: written now and then, where it makes a difference.

        One that is not there is passed over.
        """
        now = self._clock.now()
        async with self._uow.reading() as tx:
            worker = await tx.workers.find(worker_id)
        if worker is None:
            return
        after = worker.used(activity, at=now)
        if for_seconds and worker.idle_timeout_seconds is not None and for_seconds > worker.idle_timeout_seconds:
            after = after.kept(until=now + timedelta(seconds=for_seconds))
        if not is_news(worker, after):
            return
        # Whoever changed it meanwhile was no less lately there, and the next use is noted.
        with suppress(StaleVersion):
            async with self._uow() as tx:
                await saving.save(tx, after, at=now)
                await tx.commit()
