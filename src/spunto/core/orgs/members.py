"""Use cases of memberships: other roles, removal, leaving. An organization never loses its last owner."""

from dataclasses import replace

from spunto.core.access.model import Actor, OrgId, Tenant, UserId
from spunto.core.access.policy import Action, Role
from spunto.core.access.sessions import GRANTS_TOPIC
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, Forbidden
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.invitation import givable_by
from spunto.core.orgs.model import Member, Membership
from spunto.core.orgs.ports import OrgsTransaction


class MemberService:
    """Each change locks the organization and asks for the actor's role again, so that no two of them race."""

    def __init__(self, uow: UnitOfWork[OrgsTransaction], *, auditor: Auditor, clock: Clock) -> None:
        self._uow = uow
        self._clock = clock
        self._auditor = auditor

    async def list(self, actor: Actor, org_id: OrgId, page: PageRequest) -> Page[Member]:
        tenant = actor.require(Action.MEMBER_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.members.list(tenant, page)

    @retried
    async def change_role(self, actor: Actor, org_id: OrgId, user_id: UserId, role: Role) -> Member:
        """Give a member another role. Only owners make or unmake owners.

        Open invitations that the member could not make any more are revoked, or they would outlive the right to them.
        Raises NotFound `member_not_found`, Forbidden `role_required`, Conflict `last_owner`.
        """
        tenant = actor.require(Action.MEMBER_UPDATE, org_id=org_id)
        async with self._uow() as tx:
            await tx.organizations.lock(tenant)
            tenant = await live(tx, actor, Action.MEMBER_UPDATE, org_id)
            before = await tx.members.get(tenant, user_id)
            user = await tx.members.get_user(user_id)
            after = replace(before, role=role)
            if Role.OWNER in (before.role, after.role):
                require_role(tenant, Role.OWNER)
            if after != before:
                await _require_another_owner(tx, tenant, before)
                await tx.members.update(after)
                revoked = await _revoke_invitations(tx, tenant, user_id, may=givable_by(role))
                detail = {"from": before.role.value, "to": role.value, "invitationsRevoked": str(revoked)}
                await self._auditor.record(tx, tenant, Action.MEMBER_UPDATE, user_id, **detail)
                tx.hint(GRANTS_TOPIC)
                await tx.commit()
        return Member(user=user, role=after.role, joined_at=after.joined_at)

    @retried
    async def remove(self, actor: Actor, org_id: OrgId, user_id: UserId) -> None:
        """End a membership: one's own, or as an admin somebody else's; only owners remove owners.

        The person's keys and open invitations end with it. Their workers stay, and admins may stop and destroy them.
        Raises NotFound `member_not_found`, Forbidden `role_required`, Conflict `last_owner`.
        """
        tenant = actor.require(Action.MEMBER_REMOVE, org_id=org_id)
        async with self._uow() as tx:
            await tx.organizations.lock(tenant)
            tenant = await live(tx, actor, Action.MEMBER_REMOVE, org_id)
            if user_id != actor.user_id:
                require_role(tenant, Role.ADMIN)
            membership = await tx.members.get(tenant, user_id)
            if membership.role is Role.OWNER:
                require_role(tenant, Role.OWNER)
            await _require_another_owner(tx, tenant, membership)
            await tx.members.remove(membership)
            await tx.api_keys.revoke_of(tenant, user_id, at=self._clock.now())
            revoked = await _revoke_invitations(tx, tenant, user_id, may=frozenset())
            detail = {"role": membership.role.value, "invitationsRevoked": str(revoked)}
            await self._auditor.record(tx, tenant, Action.MEMBER_REMOVE, user_id, **detail)
            tx.hint(GRANTS_TOPIC)
            await tx.commit()


async def live(tx: OrgsTransaction, actor: Actor, action: Action, org_id: OrgId) -> Tenant:
    """The check once more, by the role that the actor has now; the one it came with may be a second old."""
    if actor.user_id is None:
        raise Forbidden("session_required", "Only a person can do this.")
    return replace(actor, roles=await tx.grants.roles_of(actor.user_id)).require(action, org_id=org_id)


def require_role(tenant: Tenant, role: Role) -> None:
    """Raises Forbidden `role_required`."""
    if not tenant.role.includes(role):
        raise Forbidden("role_required", f"This needs the role {role} in the organization.", requiredRole=role.value)


async def _revoke_invitations(tx: OrgsTransaction, tenant: Tenant, user_id: UserId, *, may: frozenset[Role]) -> int:
    return await tx.invitations.remove_made_by(tenant, user_id, roles=frozenset(Role) - may)


async def _require_another_owner(tx: OrgsTransaction, tenant: Tenant, membership: Membership) -> None:
    """Raises Conflict `last_owner` where this membership is the only one that owns."""
    if membership.role is Role.OWNER and await tx.members.count_owners(tenant) == 1:
        raise Conflict(
            "last_owner",
            "An organization keeps at least one owner; name another one first, or delete the organization.",
            id=membership.user_id,
        )
