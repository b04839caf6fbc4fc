"""Mail of invitations: sent after the invitation is kept, and again until the mail server has taken it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from spunto.core.access.policy import Role
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.invitation import Invitation, InvitationId, MailState, new_token, url_of
from spunto.core.orgs.ports import OrgsTransaction

KIND = "invitation_mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationMail:
    to: str
    organization: str
    invited_by: str
    role: Role
    url: Secret
    expires_at: datetime


class Mailer(Protocol):
    async def send_invitation(self, mail: InvitationMail) -> MailState:
        """Hand it over; what became of it: `sent`, `logged`, or `refused` where it never will be taken.

        Raises Unavailable where it may be taken later. A repeat after a lost answer may deliver twice.
        """


class InvitationMailer:
    """Handles one invitation; called by the kernel's loop.

    A token is kept only as a hash, so that each try needs a new one: the link in the newest mail is the one that works.
    """

    def __init__(self, uow: UnitOfWork[OrgsTransaction], *, mailer: Mailer, clock: Clock, public_url: str) -> None:
        self._uow = uow
        self._mailer = mailer
        self._clock = clock
        self._public_url = public_url

    async def handle(self, subject_id: str) -> float | None:
        invitation_id, token = InvitationId(subject_id), new_token()
        prepared = await self._prepare(invitation_id, token)
        if prepared is None:
            return None
        invitation, mail = prepared
        state = await self._mailer.send_invitation(mail)
        await self._note(invitation, state)
        return None

    @retried
    async def _prepare(self, invitation_id: InvitationId, token: Secret) -> tuple[Invitation, InvitationMail] | None:
        async with self._uow() as tx:
            invitation = await tx.invitations.find(invitation_id)
            if invitation is None or invitation.mail is not MailState.PENDING or not self._is_good(invitation):
                return None
            organization = await tx.organizations.find(invitation.org_id)
            if organization is None:
                return None
            inviter = await tx.members.get_user(invitation.invited_by)
            invitation = await tx.invitations.update(invitation.with_mailed_link(token))
            await tx.commit()
        return invitation, InvitationMail(
            to=invitation.email,
            organization=organization.name,
            invited_by=inviter.name,
            role=invitation.role,
            url=url_of(token, public_url=self._public_url),
            expires_at=invitation.expires_at,
        )

    @retried
    async def _note(self, mailed: Invitation, state: MailState) -> None:
        async with self._uow() as tx:
            invitation = await tx.invitations.find(mailed.id)
            # It may be used up already, or another server may have mailed another link since.
            if invitation is not None and invitation.mail_token_hash == mailed.mail_token_hash:
                await tx.invitations.update(replace(invitation, mail=state))
                await tx.commit()

    def _is_good(self, invitation: Invitation) -> bool:
        return invitation.is_good(self._clock.now())
