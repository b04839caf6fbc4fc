"""Workers in memory."""

from collections.abc import Callable, Collection, Sequence

from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.rows import Draft, Table, owned
from spunto.core.access.model import Tenant
from spunto.core.kernel.errors import Conflict, StaleVersion
from spunto.core.kernel.matching import fits
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.nodes.model import Node, NodeId
from spunto.core.projects.model import Project, ProjectId
from spunto.core.workers.listing import ALL, Listed, WorkerFilter
from spunto.core.workers.model import Worker, WorkerId


class MemoryWorkers:
    def __init__(
        self,
        workers: Table[WorkerId, Worker],
        names: Draft[tuple[str, ...], str],
        projects: Draft[ProjectId, Project],
        nodes: Draft[NodeId, Node],
        at_commit: Callable[[Callable[[], None]], None],
    ) -> None:
        self._workers = workers
        self._names = names
        self._projects = projects
        self._nodes = nodes
        self._at_commit = at_commit

    async def add(self, worker: Worker) -> None:
        self._require_project(worker)
        self._at_commit(lambda: self._require_project(worker))
        self._claim_name(worker)
        self._workers.put(worker.id, worker)

    async def get(self, tenant: Tenant, worker_id: WorkerId) -> Worker:
        return owned(self._workers, tenant, worker_id)

    async def find(self, worker_id: WorkerId) -> Worker | None:
        return self._workers.get(worker_id)

    async def list(
        self, tenant: Tenant, project_id: ProjectId | None, page: PageRequest, matching: WorkerFilter = ALL
    ) -> Page[Listed]:
        own = (
            worker
            for worker in self._workers.values()
            if project_id in (None, worker.project_id) and worker.org_id == tenant.org_id and fits(worker, matching)
        )
        found = page_of(own, page, id_of=lambda worker: worker.id)
        return Page(items=[self._listed(each) for each in found.items], next_before=found.next_before)

    def _listed(self, worker: Worker) -> Listed:
        node, project = self._nodes.get(worker.node_id), self._projects.get(worker.project_id)
        newest_version = worker.project_version if project is None else project.number
        return Listed(worker, node is not None and node.connected, newest_version)

    async def of_ids(self, worker_ids: Collection[str]) -> Sequence[Worker]:
        return [worker for each in worker_ids if (worker := self._workers.get(WorkerId(each))) is not None]

    async def update(self, worker: Worker) -> Worker:
        before = self._workers.current(worker)
        if before.name != worker.name:
            self._claim_name(worker)
            self._names.drop(_name_key(before))
        return self._workers.update(worker)

    async def remove(self, worker: Worker) -> None:
        before = self._workers.current(worker)
        self._names.drop(_name_key(before))
        self._workers.drop(worker.id)

    def _require_project(self, worker: Worker) -> None:
        if self._projects.get(worker.project_id) is None:
            raise StaleVersion("project", worker.project_id)

    def _claim_name(self, worker: Worker) -> None:
        if self._names.get(_name_key(worker)) is not None:
            raise Conflict("worker_name_taken", f"The project has a worker named {worker.name!r} already.")
        self._names.put(_name_key(worker), worker.id)


def _name_key(worker: Worker) -> tuple[str, ...]:
    return "worker", worker.project_id, worker.name
