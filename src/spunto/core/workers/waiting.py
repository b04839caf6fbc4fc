"""Waiting for a worker to arrive where it is on its way to."""

from spunto.core.kernel.uow import UnitOfWork
from spunto.core.kernel.waiting import Waits
from spunto.core.workers.model import TRANSIENT, WorkerId
from spunto.core.workers.ports import WorkersTransaction
from spunto.core.workers.reconcile import topic


class WorkerWaits:
    """For callers who may see the worker: what it is then, they ask themselves."""

    def __init__(self, uow: UnitOfWork[WorkersTransaction], *, waits: Waits) -> None:
        self._uow = uow
        self._waits = waits

    async def settled(self, worker_id: WorkerId, *, max_seconds: float) -> None:
        """Return once the worker is in no transient state any more, is gone, or as `Waits.over` does."""

        async def is_under_way() -> bool:
            async with self._uow.reading() as tx:
                worker = await tx.workers.find(worker_id)
            return worker is not None and worker.state in TRANSIENT

        await self._waits.over(topic(worker_id), is_under_way, max_seconds=max_seconds)
