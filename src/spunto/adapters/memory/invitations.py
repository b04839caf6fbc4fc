"""Invitations in memory."""

from collections.abc import Collection
from datetime import datetime

from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.rows import Draft, Table, owned
from spunto.core.access.model import Tenant, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import StaleVersion
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.orgs.invitation import Invitation, InvitationId


class MemoryInvitations:
    def __init__(self, invitations: Table[InvitationId, Invitation], names: Draft[tuple[str, ...], str]) -> None:
        self._invitations = invitations
        self._names = names

    async def put(self, invitation: Invitation) -> None:
        earlier = self._names.get(_address_key(invitation))
        if earlier is not None:
            self._invitations.drop(InvitationId(earlier))
        self._names.put(_address_key(invitation), invitation.id)
        self._invitations.put(invitation.id, invitation)

    async def get(self, tenant: Tenant, invitation_id: InvitationId) -> Invitation:
        return owned(self._invitations, tenant, invitation_id)

    async def find(self, invitation_id: InvitationId) -> Invitation | None:
        return self._invitations.get(invitation_id)

    async def find_by_token(self, token_hash: bytes) -> Invitation | None:
        rows = self._invitations.values()
        return next((each for each in rows if token_hash in (each.token_hash, each.mail_token_hash)), None)

    async def list(self, tenant: Tenant, page: PageRequest, *, now: datetime) -> Page[Invitation]:
        own = (each for each in self._invitations.values() if each.org_id == tenant.org_id and each.is_good(now))
        return page_of(own, page, id_of=lambda invitation: invitation.id)

    async def update(self, invitation: Invitation) -> Invitation:
        return self._invitations.update(invitation)

    async def remove(self, invitation: Invitation) -> None:
        if self._invitations.get(invitation.id) is None:
            raise StaleVersion("invitation", invitation.id)
        self._names.drop(_address_key(invitation))
        self._invitations.drop(invitation.id)

    async def remove_made_by(self, tenant: Tenant, user_id: UserId, *, roles: Collection[Role]) -> int:
        made = [
            each
            for each in self._invitations.values()
            if each.org_id == tenant.org_id and each.invited_by == user_id and each.role in roles
        ]
        for invitation in made:
            await self.remove(invitation)
        return len(made)


def _address_key(invitation: Invitation) -> tuple[str, ...]:
    return "invitation", invitation.org_id, invitation.email
