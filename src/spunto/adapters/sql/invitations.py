"""Invitations in SQL."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, or_, select

from spunto.adapters.sql.paging import page_of, paged, window
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.orgs import invitations
from spunto.adapters.sql.types import IdList, Instant, is_in
from spunto.adapters.sql.versioned import Versioned
from spunto.core.access.model import Tenant, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import StaleVersion
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.orgs.invitation import Invitation, InvitationId, MailState

_OF_ORG = invitations.c.org_id == bindparam("of_org")
_HAS_ENDED = invitations.c.expires_at <= bindparam("now", type_=Instant)
_REPLACE = delete(invitations).where(_OF_ORG, or_(invitations.c.email == bindparam("of_email"), _HAS_ENDED))
_BY_TOKEN = select(invitations).where(
    or_(invitations.c.token_hash == bindparam("token"), invitations.c.mail_token_hash == bindparam("token"))
)
_LIST = paged(select(invitations).where(_OF_ORG, ~_HAS_ENDED), invitations.c.id)
_REMOVE = delete(invitations).where(invitations.c.id == bindparam("of_id"))
_REMOVE_MADE_BY = delete(invitations).where(
    _OF_ORG,
    invitations.c.invited_by == bindparam("of_user"),
    is_in(invitations.c.role, bindparam("roles", type_=IdList)),
)


class SqlInvitationRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def put(self, invitation: Invitation) -> None:
        """Also forgets the organization's that have expired, so that they don't pile up."""
        earlier = {"of_org": invitation.org_id, "of_email": invitation.email, "now": invitation.created_at}
        await self._statements.change(_REPLACE, earlier)
        await _INVITATIONS.add(self._statements, invitation)

    async def get(self, tenant: Tenant, invitation_id: InvitationId) -> Invitation:
        return await _INVITATIONS.get(self._statements, tenant, invitation_id)

    async def find(self, invitation_id: InvitationId) -> Invitation | None:
        return await _INVITATIONS.find(self._statements, invitation_id)

    async def find_by_token(self, token_hash: bytes) -> Invitation | None:
        row = await first(self._statements, _BY_TOKEN, {"token": token_hash})
        return None if row is None else _invitation(row)

    async def list(self, tenant: Tenant, page: PageRequest, *, now: datetime) -> Page[Invitation]:
        rows = await self._statements.all(_LIST, {"of_org": tenant.org_id, "now": now, **window(page)})
        return page_of(rows, page.limit, item_of=_invitation, key_of=lambda invitation: invitation.id)

    async def update(self, invitation: Invitation) -> Invitation:
        return await _INVITATIONS.update(self._statements, invitation)

    async def remove(self, invitation: Invitation) -> None:
        # Whatever version it has by now: who takes it back or uses it up means all of its links.
        if await self._statements.change(_REMOVE, {"of_id": invitation.id}) == 0:
            raise StaleVersion("invitation", invitation.id)

    async def remove_made_by(self, tenant: Tenant, user_id: UserId, *, roles: Collection[Role]) -> int:
        which = {"of_org": tenant.org_id, "of_user": user_id, "roles": sorted(role.value for role in roles)}
        return await self._statements.change(_REMOVE_MADE_BY, which)


def _columns(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": invitation.id,
        "org_id": invitation.org_id,
        "email": invitation.email,
        "role": invitation.role.value,
        "invited_by": invitation.invited_by,
        "token_hash": invitation.token_hash,
        "mail_token_hash": invitation.mail_token_hash,
        "mail": invitation.mail.value,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
        "version": invitation.version,
    }


def _invitation(row: AnyRow) -> Invitation:
    (
        invitation_id,
        org_id,
        email,
        role,
        invited_by,
        token_hash,
        mail_token_hash,
        mail,
        created_at,
        expires_at,
        version,
    ) = row
    return Invitation(
        id=invitation_id,
        org_id=org_id,
        email=email,
        role=Role(role),
        invited_by=invited_by,
        token_hash=token_hash,
        mail_token_hash=mail_token_hash,
        mail=MailState(mail),
        created_at=created_at,
        expires_at=expires_at,
        version=version,
    )


_INVITATIONS = Versioned(
    invitations,
    kind="invitation",
    read=_invitation,
    write=_columns,
    fixed=["org_id", "email", "role", "invited_by", "expires_at"],
)
