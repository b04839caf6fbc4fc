"""Waiting for a worker to arrive where it is on its way to."""

from datetime import datetime, timedelta
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.workers.model import TRANSIENT, WorkerId
from spunto.core.workers.ports import WorkersTransaction
from spunto.core.workers.reconcile import topic

MAX_WAITING: Final = 1000
# A lost hint costs no more than that.
_LOOK_AGAIN_SECONDS: Final = 5.0


class WorkerWaits:
    """For callers who may see the worker: what it is then, they ask themselves."""

    def __init__(self, uow: UnitOfWork[WorkersTransaction], *, wakeups: Wakeups, clock: Clock) -> None:
        self._uow = uow
        self._wakeups = wakeups
        self._clock = clock
        self._waiting = 0

    async def settled(self, worker_id: WorkerId, *, max_seconds: float) -> None:
        """Return once the worker is in no transient state any more, is gone, or the time is over.

        Beyond a thousand waiters of this process nobody else waits: they are told how it is at once.
        """
        if self._waiting >= MAX_WAITING:
            return
        self._waiting += 1
        try:
            await self._wait(worker_id, until=self._clock.now() + timedelta(seconds=max_seconds))
        finally:
            self._waiting -= 1

    async def _wait(self, worker_id: WorkerId, *, until: datetime) -> None:
        with self._wakeups.subscribe(topic(worker_id)) as wakeup:
            while await self._is_under_way(worker_id):
                left_seconds = (until - self._clock.now()).total_seconds()
                if left_seconds <= 0:
                    return
                await wakeup.wait(max_seconds=min(left_seconds, _LOOK_AGAIN_SECONDS))

    async def _is_under_way(self, worker_id: WorkerId) -> bool:
        async with self._uow.reading() as tx:
            worker = await tx.workers.find(worker_id)
        return worker is not None and worker.state in TRANSIENT
