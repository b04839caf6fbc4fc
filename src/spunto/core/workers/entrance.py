"""The door into a running worker: who comes in, what the audit log hears of it, and how its node is asked."""

from typing import Final

from spunto.core.access.model import Actor, OrgId, Tenant
from spunto.core.access.policy import Action
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.nodes.reach import NodeReach
from spunto.core.projects.model import ProjectId
from spunto.core.protocol.messages import JsonObject
from spunto.core.protocol.stream import Stream
from spunto.core.workers.answers import WorkerNotRunning
from spunto.core.workers.factory import not_found
from spunto.core.workers.looks import Looks, require_entry
from spunto.core.workers.model import Worker, WorkerId, WorkerState
from spunto.core.workers.ports import WorkersTransaction

_RUNNING: Final = frozenset({WorkerState.READY, WorkerState.SPAWNING, WorkerState.STARTING, WorkerState.STOPPING})


class Entrance:
    def __init__(self, uow: UnitOfWork[WorkersTransaction], *, nodes: NodeReach, looks: Looks) -> None:
        self._uow = uow
        self._nodes = nodes
        self._looks = looks

    async def enter(self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Worker:
        """The running worker, for who may do anything in it. Raises Conflict `worker_not_running`, Forbidden."""
        tenant = actor.require(Action.WORKER_ENTER, org_id=org_id)
        worker = await self.get(tenant, project_id, worker_id)
        require_entry(tenant, worker)
        require_running(worker)
        await self._looks.note(tenant, Action.WORKER_ENTER, worker)
        return worker

    async def find(self, actor: Actor, worker_id: WorkerId) -> Worker:
        """A worker named without its organization; one of another organization is as unknown as a missing one."""
        async with self._uow.reading() as tx:
            worker = await tx.workers.find(worker_id)
        if worker is None or worker.org_id not in actor.roles:
            raise not_found(worker_id)
        return worker

    async def get(self, tenant: Tenant, project_id: ProjectId | None, worker_id: WorkerId) -> Worker:
        """Raises NotFound, also for one of another project than is named."""
        async with self._uow.reading() as tx:
            worker = await tx.workers.get(tenant, worker_id)
        if project_id is not None and worker.project_id != project_id:
            raise not_found(worker_id)
        return worker

    async def open(self, actor: Actor, worker: Worker, kind: str, params: JsonObject) -> Stream:
        """Begin a stream with the worker's node; whoever opened it closes it. Raises Unavailable."""
        whose = {"subjectId": worker.id, "requestId": actor.request_id}
        return await self._nodes.open(worker.node_id, kind, {**whose, **params})


def require_running(worker: Worker) -> None:
    """Raises Conflict `worker_not_running`."""
    if worker.state not in _RUNNING:
        raise WorkerNotRunning(f"The worker is {worker.state}; start it first.", id=worker.id, state=worker.state.value)
