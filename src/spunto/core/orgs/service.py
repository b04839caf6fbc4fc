"""Use cases of organizations."""

from dataclasses import replace

from spunto.core.access.model import Actor, OrgId, Tenant
from spunto.core.access.policy import Action, Role
from spunto.core.access.sessions import GRANTS_TOPIC
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, Forbidden
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.names import require_name
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.preconditions import Precondition, require
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.members import live
from spunto.core.orgs.model import Membership, Organization, OrganizationView, slug_for
from spunto.core.orgs.ports import OrgsTransaction


class OrganizationService:
    def __init__(self, uow: UnitOfWork[OrgsTransaction], *, auditor: Auditor, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    @retried
    async def create(
        self, actor: Actor, *, name: str, slug: str | None = None, idempotency: IdempotencyKey | None = None
    ) -> OrganizationView:
        """Make an organization with the actor as its owner.

        Raises Conflict `slug_taken` for a given slug, Invalid `name_invalid`.
        """
        actor.require_scope(Action.ORG_CREATE)
        require_name(name)
        if actor.user_id is None:
            raise Forbidden("session_required", "Only a person can make an organization.")
        now = self._clock.now()
        async with self._uow() as tx:
            once = Once(tx.idempotency, actor.subject_id, idempotency, now=now)
            made = await once.made()
            if made is not None:
                # The actor may have been recognised before it made the organization that it now gets again.
                known = replace(actor, roles=await tx.grants.roles_of(actor.user_id))
                return await self._view(tx, known, OrgId(made))
            organization = Organization(
                id=OrgId(self._ids.new("org")), name=name, slug=slug or await self._free_slug(tx, name), created_at=now
            )
            await tx.organizations.add(organization)
            await tx.members.add(
                Membership(org_id=organization.id, user_id=actor.user_id, role=Role.OWNER, joined_at=now)
            )
            tenant = Tenant(org_id=organization.id, role=Role.OWNER, actor=actor)
            detail = {"name": organization.name, "slug": organization.slug}
            await self._auditor.record(tx, tenant, Action.ORG_CREATE, organization.id, **detail)
            view = OrganizationView(organization=organization, role=Role.OWNER)
            await once.makes(organization.id, view)
            tx.hint(GRANTS_TOPIC)
            await tx.commit()
        return view

    async def list(self, actor: Actor, page: PageRequest) -> Page[OrganizationView]:
        actor.require_scope(Action.ORG_LIST)
        async with self._uow.reading() as tx:
            return await tx.organizations.list_of(actor, page)

    async def get(self, actor: Actor, org_id: OrgId) -> OrganizationView:
        async with self._uow.reading() as tx:
            return await self._view(tx, actor, org_id)

    @retried
    async def update(
        self,
        actor: Actor,
        org_id: OrgId,
        *,
        name: str | None = None,
        slug: str | None = None,
        precondition: Precondition | None = None,
    ) -> OrganizationView:
        """Rename it; what is None stays. Raises Conflict `slug_taken`, Invalid `name_invalid`, PreconditionFailed."""
        tenant = actor.require(Action.ORG_UPDATE, org_id=org_id)
        if name is not None:
            require_name(name)
        async with self._uow() as tx:
            before = await tx.organizations.get(tenant)
            require(precondition, OrganizationView(organization=before, role=tenant.role))
            after = replace(before, name=name or before.name, slug=slug or before.slug)
            if after != before:
                after = await tx.organizations.update(after)
                detail = {"name": after.name, "slug": after.slug}
                await self._auditor.record(tx, tenant, Action.ORG_UPDATE, org_id, **detail)
                await tx.commit()
        return OrganizationView(organization=after, role=tenant.role)

    @retried
    async def delete(self, actor: Actor, org_id: OrgId, *, precondition: Precondition | None = None) -> None:
        """End an empty organization, with its memberships, invitations and keys.

        Raises Conflict `organization_not_empty` with `holds: {nodes, projects, workers}`: to delete those along would
        leave containers on machines that nobody could reach any more. Raises PreconditionFailed.
        """
        tenant = actor.require(Action.ORG_DELETE, org_id=org_id)
        async with self._uow() as tx:
            organization = await tx.organizations.lock(tenant)
            tenant = await live(tx, actor, Action.ORG_DELETE, org_id)
            require(precondition, OrganizationView(organization=organization, role=tenant.role))
            held = await tx.organizations.holdings(tenant)
            if held:
                told = " and ".join(f"{count} {kind if count > 1 else kind[:-1]}" for kind, count in held.items())
                raise Conflict(
                    "organization_not_empty",
                    f"The organization still has {told}; delete them first.",
                    id=org_id,
                    holds=dict(held),
                )
            await tx.api_keys.remove_all(tenant)
            await tx.organizations.remove(organization)
            detail = {"name": organization.name, "slug": organization.slug}
            await self._auditor.record(tx, tenant, Action.ORG_DELETE, org_id, **detail)
            tx.hint(GRANTS_TOPIC)
            await tx.commit()

    async def _view(self, tx: OrgsTransaction, actor: Actor, org_id: OrgId) -> OrganizationView:
        tenant = actor.require(Action.ORG_READ, org_id=org_id)
        return OrganizationView(organization=await tx.organizations.get(tenant), role=tenant.role)

    async def _free_slug(self, tx: OrgsTransaction, name: str) -> str:
        slug = slug_for(name)
        if await tx.organizations.find_by_slug(slug) is None:
            return slug
        return f"{slug[:33].rstrip('-')}-{self._ids.new('org')[-6:]}"
