"""Brings workers forward when their nodes report, and when deadlines pass."""

from dataclasses import replace
from datetime import datetime

from spunto.core.activity.events import EventType
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.nodes.assignment import Assignment
from spunto.core.nodes.model import Node
from spunto.core.nodes.sync import topic as node_topic
from spunto.core.protocol.messages import Wanted
from spunto.core.workers import saving
from spunto.core.workers.assigned import asking_to_stop
from spunto.core.workers.idle import KIND as IDLENESS
from spunto.core.workers.model import PATIENCE, Worker, WorkerId
from spunto.core.workers.planner import Step, next_step
from spunto.core.workers.ports import WorkersTransaction


class WorkerReconciler:
    """One subject at a time; called by the kernel's loop."""

    def __init__(self, uow: UnitOfWork[WorkersTransaction], *, auditor: Auditor, clock: Clock) -> None:
        self._uow = uow
        self._clock = clock
        self._auditor = auditor

    @retried
    async def handle(self, subject_id: str) -> float | None:
        """Load, plan, apply; in how many seconds to look again.

        Most reports change nothing here, and finding that out takes no lock; a change meanwhile is StaleVersion.
        """
        async with self._uow.reading() as tx:
            worker = await tx.workers.find(WorkerId(subject_id))
            if worker is None:
                return None
            assignment = await tx.assignments.find(subject_id)
            node = await tx.nodes.find(worker.node_id)
            # A node that is no more has removed what stood on it, or was given up with it.
            buried = {} if assignment is not None else await tx.assignments.buried(worker.node_id, [subject_id])
            is_buried = assignment is None and (node is None or bool(buried))
        if assignment is not None and _outlived_its_node(assignment, node):
            return await self._ask_absent(assignment)
        step = next_step(
            worker,
            assignment,
            reachable_since=_reachable_since(node),
            now=self._clock.now(),
            is_buried=is_buried,
        )
        if step.worker != worker or step.frees or step.without_room is not None:
            async with self._uow() as tx:
                after = await self._apply(tx, worker, assignment, step)
                if after != worker:
                    tx.hint(topic(worker.id))
                    asked = assignment or buried.get(subject_id)
                    await self._announce(tx, worker, after, cause="" if asked is None else asked.cause)
                await tx.commit()
        return step.again_seconds

    async def _ask_absent(self, assignment: Assignment) -> float:
        async with self._uow() as tx:
            await tx.assignments.update(assignment.asking_absent(at=self._clock.now()))
            tx.hint(node_topic(assignment.node_id))
            await tx.commit()
        return 0.0

    async def _apply(
        self, tx: WorkersTransaction, before: Worker, assignment: Assignment | None, step: Step
    ) -> Worker | None:
        """What the worker has become."""
        after = step.worker
        if step.without_room is not None and assignment is not None:
            after = await self._take_room(tx, assignment, step)
        if after is None:
            await saving.remove(tx, before, at=self._clock.now())
        elif after != before:
            await saving.save(tx, after, at=self._clock.now())
            if after.state is not before.state and after.stops_at is not None:
                await tx.due.add(IDLENESS, after.id, at=after.stops_at)
        if step.back is not None:
            await tx.assignments.update(step.back.assignment)
            tx.hint(node_topic(before.node_id))
        if step.frees and assignment is not None:
            await tx.nodes.release(assignment.node_id, assignment.demand)
            await tx.assignments.update(assignment.freed())
        return after

    async def _take_room(self, tx: WorkersTransaction, assignment: Assignment, step: Step) -> Worker | None:
        """What the worker becomes, with room or without."""
        if await tx.nodes.reserve_again(assignment.node_id, assignment.demand):
            await tx.assignments.update(replace(assignment, reserves=True))
            return step.worker
        await tx.assignments.update(asking_to_stop(assignment, at=self._clock.now()))
        tx.hint(node_topic(assignment.node_id))
        return step.without_room

    async def _announce(self, tx: WorkersTransaction, before: Worker, after: Worker | None, *, cause: str) -> None:
        """`cause` is the request that last asked for something; what a worker did when it had settled has none."""
        data = {"name": before.name, "projectId": before.project_id}
        request_id = cause if before.state in PATIENCE else ""
        if after is None:
            kind = EventType.WORKER_DESTROYED
        elif after.state is not before.state:
            kind = EventType.WORKER_STATE_CHANGED
            data["state"] = after.state.value
            if after.problem is not None:
                data["problem"] = after.problem.code
            if after.stop_reason is not None:
                data["reason"] = after.stop_reason
        else:
            return
        await self._auditor.announce(tx, before.org_id, kind, before.id, request_id=request_id, data=data)


def topic(worker_id: str) -> str:
    """Hinted by every change of the worker, for whoever watches it."""
    return f"worker:{worker_id}"


def _outlived_its_node(assignment: Assignment, node: Node | None) -> bool:
    """Whether it was put on a node at the moment when that one's deletion was asked for."""
    return node is not None and node.deleting_at is not None and assignment.wanted is Wanted.PRESENT


def _reachable_since(node: Node | None) -> datetime | None:
    return node.connection_changed_at if node is not None and node.connected else None
