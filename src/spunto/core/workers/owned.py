"""The worker that somebody names, and whether it is theirs to act on."""

from spunto.core.access.model import Actor, Tenant
from spunto.core.access.policy import Action
from spunto.core.projects.model import ProjectId
from spunto.core.workers.factory import not_found
from spunto.core.workers.model import Worker, WorkerId
from spunto.core.workers.ports import WorkersTransaction
from spunto.core.workers.secrets import Wishes


async def of_project(
    tx: WorkersTransaction, tenant: Tenant, project_id: ProjectId | None, worker_id: WorkerId
) -> Worker:
    """Raises NotFound `worker_not_found`, also for one of another project than the one that is named."""
    worker = await tx.workers.get(tenant, worker_id)
    if project_id is not None and worker.project_id != project_id:
        raise not_found(worker_id)
    return worker


async def own_or_administered(
    tx: WorkersTransaction, tenant: Tenant, project_id: ProjectId | None, worker_id: WorkerId
) -> Worker:
    """Members act on their own workers; admins on everybody's. Raises Forbidden `not_owner`."""
    worker = await of_project(tx, tenant, project_id, worker_id)
    tenant.require_own_or_admin(user_id=worker.user_id, api_key_id=worker.api_key_id)
    return worker


def require_grantor(actor: Actor, wishes: Wishes) -> None:
    """To let a secret in is to change it, which only its owner may, by a sign-in or a key that may do all."""
    if wishes.granted:
        actor.require_scope(Action.SECRET_PUT)
        actor.require_person()
