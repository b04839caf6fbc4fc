"""Use cases of idleness: workers that nobody uses are stopped, and who wants one to go on says so."""

from dataclasses import replace
from datetime import timedelta

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.activity.events import EventType
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.nodes.sync import topic as node_topic
from spunto.core.projects.model import ProjectId
from spunto.core.specs.worker import KIND as WORKER
from spunto.core.workers import saving
from spunto.core.workers.answers import WorkerNotRunning
from spunto.core.workers.assigned import asking_to_stop
from spunto.core.workers.idle import MAX_KEEP_SECONDS, judged
from spunto.core.workers.model import IDLE, Activity, Worker, WorkerId, WorkerState
from spunto.core.workers.owned import own_or_administered
from spunto.core.workers.ports import WorkersTransaction
from spunto.core.workers.reconcile import topic as worker_topic


class WorkerIdling:
    """`handle` is called by the kernel's loop when a worker may have become idle."""

    def __init__(self, uow: UnitOfWork[WorkersTransaction], *, auditor: Auditor, clock: Clock) -> None:
        self._uow = uow
        self._auditor = auditor
        self._clock = clock
        self._listening_since = clock.now()

    @retried
    async def keep_alive(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        *,
        seconds: int = 0,
    ) -> Worker:
        """It counts as used now, and is not stopped by idleness within that time. A later end that was said stays.

        Raises Conflict `worker_not_running`, Invalid `kept_too_long`.
        """
        tenant = actor.require(Action.WORKER_KEEP_ALIVE, org_id=org_id)
        if not 0 <= seconds <= MAX_KEEP_SECONDS:
            raise Invalid("kept_too_long", f"A worker is kept alive for {MAX_KEEP_SECONDS} seconds at a time at most.")
        now = self._clock.now()
        async with self._uow() as tx:
            worker = await own_or_administered(tx, tenant, project_id, worker_id)
            if worker.state is not WorkerState.READY:
                raise WorkerNotRunning(
                    f"The worker is {worker.state}; start it first.", id=worker.id, state=worker.state.value
                )
            kept = worker.used(Activity.KEEP_ALIVE, at=now).kept(until=now + timedelta(seconds=seconds))
            saved = await saving.save(tx, kept, at=now)
            detail = {"name": saved.name, "projectId": saved.project_id, "seconds": str(seconds)}
            await self._auditor.record(tx, tenant, Action.WORKER_KEEP_ALIVE, saved.id, **detail)
            tx.hint(worker_topic(saved.id))
            await tx.commit()
        return saved

    @retried
    async def handle(self, subject_id: str) -> float | None:
        """Stop the worker if it is idle; in how many seconds to look again. A use meanwhile is StaleVersion."""
        now = self._clock.now()
        async with self._uow.reading() as tx:
            worker = await tx.workers.find(WorkerId(subject_id))
            if worker is None:
                return None
            node, edges = await tx.nodes.find(worker.node_id), await tx.edges.all()
        verdict = judged(worker, node=node, edges=edges, listening_since=self._listening_since, now=now)
        if verdict.is_idle:
            await self._stop(worker)
        return verdict.again_seconds

    async def _stop(self, worker: Worker) -> None:
        now = self._clock.now()
        async with self._uow() as tx:
            assignment = await tx.assignments.find(worker.id)
            if assignment is None:
                return
            stopping = worker.moved(WorkerState.STOPPING, at=now)
            stopping = replace(stopping, stop_reason=IDLE, generation=worker.generation + 1)
            await tx.assignments.update(asking_to_stop(assignment, at=now))
            saved = await saving.save(tx, stopping, at=now)
            await tx.due.add(WORKER, saved.id, at=saved.deadline_at or now)
            data = {"name": saved.name, "projectId": saved.project_id, "state": saved.state.value, "reason": IDLE}
            await self._auditor.announce(tx, saved.org_id, EventType.WORKER_STATE_CHANGED, saved.id, data=data)
            tx.hint(node_topic(saved.node_id))
            tx.hint(worker_topic(saved.id))
            await tx.commit()
