"""Use cases of invitations: made by admins for an e-mail address, used up by the person who has it."""

from dataclasses import replace

from spunto.core.access.model import Actor, OrgId, Tenant, UserId
from spunto.core.access.policy import Action, Role
from spunto.core.access.sessions import GRANTS_TOPIC, hash_of
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, Forbidden, NotFound
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.invitation import (
    LIFETIME,
    Invitation,
    InvitationId,
    InvitationPreview,
    Invited,
    folded,
    givable_by,
    new_token,
)
from spunto.core.orgs.mail import KIND
from spunto.core.orgs.members import live, require_role
from spunto.core.orgs.model import Membership, OrganizationView
from spunto.core.orgs.ports import OrgsTransaction


class InvitationService:
    def __init__(self, uow: UnitOfWork[OrgsTransaction], *, auditor: Auditor, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    @retried
    async def create(
        self, actor: Actor, org_id: OrgId, *, email: str, role: Role, idempotency: IdempotencyKey | None = None
    ) -> Invited:
        """Invite an address, in place of an earlier invitation of it; the mail goes out by itself.

        Only owners invite owners. Raises Conflict `member_already`, `token_not_repeatable` for a repeat, whose link is
        kept nowhere, and Forbidden `role_required`.
        """
        tenant = actor.require(Action.INVITATION_CREATE, org_id=org_id)
        token, now = new_token(), self._clock.now()
        async with self._uow() as tx:
            await tx.organizations.hold(tenant)
            tenant = await live(tx, actor, Action.INVITATION_CREATE, org_id)
            if role not in givable_by(tenant.role):
                require_role(tenant, role)
            once = Once(tx.idempotency, f"{org_id}/invites", idempotency, now=now)
            await once.require_first()
            await self._require_stranger(tx, tenant, email)
            invitation = await self._invite(tx, tenant, folded(email), role, token)
            await once.makes(invitation.id)
            await tx.commit()
        return Invited(invitation=invitation, token=token)

    async def list(self, actor: Actor, org_id: OrgId, page: PageRequest) -> Page[Invitation]:
        """Those that may still be accepted."""
        tenant = actor.require(Action.INVITATION_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.invitations.list(tenant, page, now=self._clock.now())

    @retried
    async def revoke(self, actor: Actor, org_id: OrgId, invitation_id: InvitationId) -> None:
        """Take it back; its links are dead at once. Raises NotFound `invitation_not_found`."""
        tenant = actor.require(Action.INVITATION_REVOKE, org_id=org_id)
        async with self._uow() as tx:
            invitation = await tx.invitations.get(tenant, invitation_id)
            await tx.invitations.remove(invitation)
            detail = {"email": invitation.email}
            await self._auditor.record(tx, tenant, Action.INVITATION_REVOKE, invitation_id, **detail)
            await tx.commit()

    async def preview(self, token: Secret) -> InvitationPreview:
        """What the link is for. Raises NotFound `invitation_not_found`."""
        async with self._uow.reading() as tx:
            invitation = await self._by(tx, token)
            organization = await tx.organizations.find(invitation.org_id)
        if organization is None:
            raise _not_good()
        return InvitationPreview(organization=organization.name, email=invitation.email, role=invitation.role)

    @retried
    async def accept(
        self, actor: Actor, token: Secret, *, idempotency: IdempotencyKey | None = None
    ) -> OrganizationView:
        """Join by the token, which is used up. Of any number of callers at most one joins by it.

        Raises NotFound `invitation_not_found`, Forbidden `invitation_of_another_address`, Conflict `member_already`.
        """
        actor.require_scope(Action.INVITATION_ACCEPT)
        person, now = actor.require_person(), self._clock.now()
        async with self._uow() as tx:
            once = Once(tx.idempotency, actor.subject_id, idempotency, now=now)
            made = await once.made()
            if made is not None:
                return await _joined(tx, actor, person, OrgId(made))
            invitation = await self._by(tx, token)
            user = await tx.members.get_user(person)
            if folded(user.email) != invitation.email:
                raise Forbidden(
                    "invitation_of_another_address",
                    "The invitation is for another e-mail address; sign in with the account that has it.",
                )
            tenant = Tenant(org_id=invitation.org_id, role=invitation.role, actor=actor)
            await tx.organizations.hold(tenant)
            await tx.invitations.remove(invitation)
            await tx.members.add(Membership(org_id=tenant.org_id, user_id=user.id, role=tenant.role, joined_at=now))
            # Others are told of the member who is there now.
            detail = {"invitationId": invitation.id, "email": invitation.email, "role": invitation.role.value}
            await self._auditor.record(tx, tenant, Action.INVITATION_ACCEPT, user.id, **detail)
            joined = OrganizationView(organization=await tx.organizations.get(tenant), role=tenant.role)
            await once.makes(tenant.org_id, joined)
            tx.hint(GRANTS_TOPIC)
            await tx.commit()
        return joined

    async def _invite(self, tx: OrgsTransaction, tenant: Tenant, email: str, role: Role, token: Secret) -> Invitation:
        now = self._clock.now()
        invitation = Invitation(
            id=InvitationId(self._ids.new("inv")),
            org_id=tenant.org_id,
            email=email,
            role=role,
            invited_by=tenant.actor.require_person(),
            token_hash=hash_of(token),
            created_at=now,
            expires_at=now + LIFETIME,
        )
        await tx.invitations.put(invitation)
        await tx.due.add(KIND, invitation.id, at=now)
        detail = {"email": email, "role": role.value}
        await self._auditor.record(tx, tenant, Action.INVITATION_CREATE, invitation.id, **detail)
        return invitation

    async def _by(self, tx: OrgsTransaction, token: Secret) -> Invitation:
        invitation = await tx.invitations.find_by_token(hash_of(token))
        if invitation is None or not invitation.is_good(self._clock.now()):
            raise _not_good()
        return invitation

    async def _require_stranger(self, tx: OrgsTransaction, tenant: Tenant, email: str) -> None:
        user = await tx.members.find_user_by_email(email) or await tx.members.find_user_by_email(folded(email))
        if user is not None and tenant.org_id in await tx.grants.roles_of(user.id):
            raise Conflict("member_already", "This person is a member already.", id=user.id)


async def _joined(tx: OrgsTransaction, actor: Actor, user_id: UserId, org_id: OrgId) -> OrganizationView:
    known = replace(actor, roles=await tx.grants.roles_of(user_id))
    tenant = known.require(Action.ORG_READ, org_id=org_id)
    return OrganizationView(organization=await tx.organizations.get(tenant), role=tenant.role)


def _not_good() -> NotFound:
    return NotFound("invitation_not_found", "This invitation was used or revoked, or has expired; ask for a new one.")
