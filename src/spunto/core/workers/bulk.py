"""Use cases of many workers: each is asked for as if it had been named alone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.kernel.errors import NotFound, SpuntoError, Unavailable
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.problem import Problem
from spunto.core.projects.model import ProjectId
from spunto.core.workers.listing import ALL, WorkerFilter
from spunto.core.workers.model import WorkerId
from spunto.core.workers.views import WorkerView

Step = Callable[[Actor, OrgId, ProjectId | None, WorkerId], Awaitable[WorkerView]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A worker after it was asked for, or as it was listed, with the reason why it stays so."""

    view: WorkerView
    problem: Problem | None = None


class OneByOne(Protocol):
    """The use cases of one worker: each call is a transaction and a check of its own."""

    async def list(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        page: PageRequest,
        matching: WorkerFilter = ALL,
    ) -> Page[WorkerView]: ...

    async def stop(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId
    ) -> WorkerView: ...

    async def destroy(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId
    ) -> WorkerView: ...


class WorkerBulk:
    def __init__(self, workers: OneByOne) -> None:
        self._workers = workers

    async def stop(self, actor: Actor, org_id: OrgId, page: PageRequest, matching: WorkerFilter) -> Page[Asked]:
        """Stop each worker of one page of the list that the filter gives, one after the other, each for itself."""
        actor.require(Action.WORKER_STOP, org_id=org_id)
        return await self._each(actor, org_id, page, matching, self._workers.stop)

    async def destroy(self, actor: Actor, org_id: OrgId, page: PageRequest, matching: WorkerFilter) -> Page[Asked]:
        """The same, for good."""
        actor.require(Action.WORKER_DESTROY, org_id=org_id)
        return await self._each(actor, org_id, page, matching, self._workers.destroy)

    async def _each(
        self, actor: Actor, org_id: OrgId, page: PageRequest, matching: WorkerFilter, step: Step
    ) -> Page[Asked]:
        """What is refused is told beside the others. Where the database goes away, the page ends with what was done."""
        listed = await self._workers.list(actor, org_id, None, page, matching)
        done: list[Asked] = []
        for view in listed.items:
            try:
                done.append(Asked(view=await step(actor, org_id, view.worker.project_id, view.worker.id)))
            except NotFound:
                # Gone since it was listed: it fits no filter any more.
                continue
            except Unavailable:
                if not done:
                    raise
                return Page(items=done, next_before=done[-1].view.worker.id)
            except SpuntoError as refused:
                done.append(Asked(view=view, problem=Problem(code=refused.code, message=refused.message)))
        return Page(items=done, next_before=listed.next_before)
