"""Workers that are gone, in memory."""

from datetime import datetime

from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.rows import Table, owned
from spunto.core.access.model import OrgId, Tenant
from spunto.core.kernel.matching import fits
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.projects.model import ProjectId
from spunto.core.workers.listing import ALL, WorkerFilter
from spunto.core.workers.model import Worker, WorkerId


class MemoryDestroyedWorkers:
    def __init__(self, workers: Table[WorkerId, Worker]) -> None:
        self._workers = workers

    async def add(self, worker: Worker) -> None:
        self._workers.put(worker.id, worker)

    async def get(self, tenant: Tenant, worker_id: WorkerId) -> Worker:
        return owned(self._workers, tenant, worker_id)

    async def list(
        self, tenant: Tenant, project_id: ProjectId | None, page: PageRequest, matching: WorkerFilter = ALL
    ) -> Page[Worker]:
        own = (
            worker
            for worker in self._workers.values()
            if project_id in (None, worker.project_id) and worker.org_id == tenant.org_id and fits(worker, matching)
        )
        return page_of(own, page, id_of=lambda worker: worker.id)

    async def prune(self, *, before: datetime, limit: int) -> int:
        old = [worker.id for worker in self._workers.values() if worker.state_since < before][:limit]
        for worker_id in old:
            self._workers.drop(worker_id)
        return len(old)

    def remove_of(self, org_id: OrgId) -> None:
        for worker in [each for each in self._workers.values() if each.org_id == org_id]:
            self._workers.drop(worker.id)
