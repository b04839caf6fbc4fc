"""Use cases of sharing: who beside its owner reaches a port of a worker, for good or until a link ends."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from spunto.core.access.model import Actor, OrgId, Tenant
from spunto.core.access.policy import Action
from spunto.core.access.sessions import hash_of
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, Invalid, NotFound
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.projects.model import ProjectId
from spunto.core.routes.desired import Sharing
from spunto.core.routes.entry import LinkId, PortLink
from spunto.core.routes.hosts import LINK_PATH, Addresses, require_port
from spunto.core.routes.model import ROUTES_TOPIC, Route
from spunto.core.workers.factory import not_found
from spunto.core.workers.looks import require_entry
from spunto.core.workers.model import Worker, WorkerId
from spunto.core.workers.owned import of_project, own_or_administered
from spunto.core.workers.ports import WorkersTransaction

LINK_SECONDS: Final = 3600
MAX_LINK_SECONDS: Final = 30 * 24 * 3600
MAX_LINKS: Final = 100
MAX_SHARED_PORTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPort:
    port: int
    sharing: Sharing
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedPort:
    """A port that others than its owner reach, by its sharing or by links that have not ended, the newest first."""

    shared: SharedPort
    links: Sequence[PortLink]


class WorkerSharing:
    """Its owner shares a worker's ports, and admins those of a worker that an organization's key owns.

    Admins take back what others share. Raises Forbidden `not_owner`, NotFound `worker_not_found`.
    """

    def __init__(
        self,
        uow: UnitOfWork[WorkersTransaction],
        *,
        auditor: Auditor,
        clock: Clock,
        ids: Ids,
        addresses: Addresses,
    ) -> None:
        self._uow = uow
        self._auditor = auditor
        self._clock = clock
        self._ids = ids
        self._addresses = addresses

    async def opened(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId
    ) -> Sequence[OpenedPort]:
        """By port; whether or not anything listens there, or the worker runs."""
        tenant = actor.require(Action.WORKER_LINK_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            worker = await own_or_administered(tx, tenant, project_id, worker_id)
            route = await _route(tx, worker)
            links = await tx.links.of_subject(worker.id, now=self._clock.now())
        return [
            OpenedPort(
                shared=SharedPort(
                    port=port,
                    sharing=route.spec.sharing_of(port),
                    url=self._addresses.url_of(worker.index, worker.id, port),
                ),
                links=[link for link in links if link.port == port],
            )
            for port in sorted({*route.sharing, *(link.port for link in links)})
        ]

    @retried
    async def share(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        port: int,
        sharing: Sharing,
    ) -> SharedPort:
        """Let others reach the port from now on, or nobody any more.

        Raises Conflict `too_many_shared_ports`, NotFound `port_not_found`.
        """
        tenant = actor.require(Action.WORKER_SHARE, org_id=org_id)
        require_port(port)
        async with self._uow() as tx:
            worker = await of_project(tx, tenant, project_id, worker_id)
            if sharing is Sharing.OWNER:
                tenant.require_own_or_admin(user_id=worker.user_id, api_key_id=worker.api_key_id)
            else:
                require_entry(tenant, worker)
            route = await _route(tx, worker)
            shared = route.sharing_as(port, sharing, at=self._clock.now())
            if len(shared.sharing) > MAX_SHARED_PORTS:
                raise Conflict("too_many_shared_ports", f"At most {MAX_SHARED_PORTS} ports of a worker are shared.")
            if shared is not route:
                await tx.routes.update(shared)
                detail = {"name": worker.name, "projectId": worker.project_id, "port": str(port)}
                await self._auditor.record(tx, tenant, Action.WORKER_SHARE, worker.id, **detail, sharing=sharing.value)
                tx.hint(ROUTES_TOPIC)
                await tx.commit()
        return SharedPort(port=port, sharing=sharing, url=self._addresses.url_of(worker.index, worker.id, port))

    async def create_link(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        port: int,
        *,
        seconds: int = LINK_SECONDS,
        idempotency: IdempotencyKey | None = None,
    ) -> tuple[PortLink, Secret]:
        """The link with its URL, shown this once.

        Raises Conflict `too_many_links`, and `token_not_repeatable` for a repeat; Invalid `link_too_long`.
        """
        tenant = actor.require(Action.WORKER_LINK_CREATE, org_id=org_id)
        made_by = actor.require_person()
        require_port(port)
        if not 0 < seconds <= MAX_LINK_SECONDS:
            raise Invalid("link_too_long", f"A link lasts 1 to {MAX_LINK_SECONDS} seconds.")
        token, now = Secret(f"spl_{secrets.token_urlsafe(32)}"), self._clock.now()
        async with self._uow() as tx:
            worker = await of_project(tx, tenant, project_id, worker_id)
            require_entry(tenant, worker)
            once = Once(tx.idempotency, f"{worker.id}/{port}/links", idempotency, now=now)
            await once.require_first()
            if len(await tx.links.of_port(worker.id, port, now=now)) >= MAX_LINKS:
                raise Conflict("too_many_links", f"A port has at most {MAX_LINKS} links; take some back.")
            link = PortLink(
                id=LinkId(self._ids.new("lnk")),
                org_id=org_id,
                subject_id=worker.id,
                port=port,
                token_hash=hash_of(token),
                made_by=made_by,
                created_at=now,
                expires_at=now + timedelta(seconds=seconds),
            )
            await tx.links.add(link)
            await self._record(tx, tenant, Action.WORKER_LINK_CREATE, worker, link)
            await once.makes(link.id)
            await tx.commit()
        origin = self._addresses.url_of(worker.index, worker.id, port)
        return link, Secret(f"{origin}{LINK_PATH}?token={token.reveal()}")

    async def links(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId, port: int
    ) -> Sequence[PortLink]:
        """Those that have not ended, the newest first."""
        tenant = actor.require(Action.WORKER_LINK_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            worker = await own_or_administered(tx, tenant, project_id, worker_id)
            return await tx.links.of_port(worker.id, port, now=self._clock.now())

    async def revoke_link(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        port: int,
        link_id: LinkId,
    ) -> None:
        """Whoever came by it is put out within seconds. Raises NotFound `link_not_found`."""
        tenant = actor.require(Action.WORKER_LINK_REVOKE, org_id=org_id)
        async with self._uow() as tx:
            worker = await of_project(tx, tenant, project_id, worker_id)
            found = next(iter(await tx.links.find_all([link_id])), None)
            if found is None or (found.subject_id, found.port) != (worker.id, port):
                raise NotFound("link_not_found", f"There is no link {link_id!r}.", id=link_id)
            tenant.require_own_or_admin(user_id=worker.user_id, api_key_id=worker.api_key_id)
            await tx.links.remove(link_id)
            await self._record(tx, tenant, Action.WORKER_LINK_REVOKE, worker, found)
            await tx.commit()

    async def _record(
        self, tx: WorkersTransaction, tenant: Tenant, action: Action, worker: Worker, link: PortLink
    ) -> None:
        detail = {"name": worker.name, "port": str(link.port), "linkId": link.id}
        await self._auditor.record(tx, tenant, action, worker.id, **detail)


async def _route(tx: WorkersTransaction, worker: Worker) -> Route:
    route = await tx.routes.find(worker.id)
    if route is None:
        raise not_found(worker.id)
    return route
