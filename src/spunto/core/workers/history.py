"""Use cases of workers that are gone: looked up for a while, then forgotten."""

from datetime import timedelta
from typing import Final

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.pruning import keep_pruned
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.projects.model import ProjectId
from spunto.core.routes.hosts import Addresses
from spunto.core.workers.factory import not_found
from spunto.core.workers.listing import ALL, WorkerFilter
from spunto.core.workers.looks import Looks
from spunto.core.workers.model import WorkerId, WorkerState
from spunto.core.workers.ports import WorkersTransaction
from spunto.core.workers.views import WorkerView, view_of, views_of, with_output

KEPT_FOR: Final = timedelta(days=30)
PRUNE_BATCH: Final = 1000


class WorkerHistory:
    """Workers that stand together with those that were destroyed in the last 30 days."""

    def __init__(
        self, uow: UnitOfWork[WorkersTransaction], *, looks: Looks, clock: Clock, addresses: Addresses
    ) -> None:
        self._uow = uow
        self._looks = looks
        self._clock = clock
        self._addresses = addresses

    async def list(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        page: PageRequest,
        matching: WorkerFilter = ALL,
    ) -> Page[WorkerView]:
        """Both kinds in one order. Raises NotFound where the project is gone and nothing of it is remembered."""
        tenant = actor.require(Action.WORKER_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            # Before those that are gone, so that who goes in between is missed in neither.
            standing = await tx.workers.list(tenant, project_id, page, matching)
            gone = await tx.destroyed.list(tenant, project_id, page, matching)
            if project_id is not None and not standing.items and not gone.items:
                await tx.projects.get(tenant, project_id)
        addresses = self._addresses
        found = {view.worker.id: view for view in views_of(tenant, standing, addresses).items}
        found |= {
            each.id: view_of(tenant, each, each.project_version, is_reachable=True, addresses=addresses)
            for each in gone.items
        }
        place_of, key = page.order.place_of, page.order.key
        ordered = sorted(found.values(), key=lambda view: key(place_of(view.worker)), reverse=page.order.is_backwards)
        items = ordered[: page.limit]
        is_cut = len(ordered) > page.limit or standing.next_before is not None or gone.next_before is not None
        last = place_of(items[-1].worker) if items else standing.next_before
        return Page(items=items, next_before=last if is_cut else None)

    async def get(self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> WorkerView:
        """One that is gone, as it was in the end. Raises NotFound `worker_not_found`."""
        tenant = actor.require(Action.WORKER_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            worker = await tx.destroyed.get(tenant, worker_id)
        if project_id not in (None, worker.project_id):
            raise not_found(worker_id)
        view = view_of(tenant, worker, worker.project_version, is_reachable=True, addresses=self._addresses)
        return await with_output(self._looks, tenant, worker, view)

    async def keep_pruned(self) -> None:
        """Forget those that are gone for 30 days, until cancelled."""
        await keep_pruned(self.prune, batch=PRUNE_BATCH, clock=self._clock)

    async def prune(self) -> int:
        """Forget some of them; how many."""
        async with self._uow() as tx:
            count = await tx.destroyed.prune(before=self._clock.now() - KEPT_FOR, limit=PRUNE_BATCH)
            await tx.commit()
        return count


def is_gone(view: WorkerView) -> bool:
    return view.worker.state is WorkerState.DESTROYED
