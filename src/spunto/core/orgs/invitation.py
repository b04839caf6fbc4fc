"""What an invitation is: an e-mail address that may join an organization, by a link that is good once."""

import secrets
import string
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from spunto.core.access.model import OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.access.sessions import hash_of
from spunto.core.kernel.secret import Secret

InvitationId = NewType("InvitationId", str)

LIFETIME: Final = timedelta(days=7)
_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class MailState(StrEnum):
    """How far the mail is; `logged` where the server has no mail server and writes the link to its log."""

    PENDING = "pending"
    SENT = "sent"
    LOGGED = "logged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Two links open it, and only hashes of their tokens are kept: the one shown to who invited, and the newest one
    that was mailed, which is made when the mail is sent."""

    id: InvitationId
    org_id: OrgId
    email: str
    role: Role
    invited_by: UserId
    token_hash: bytes = field(repr=False)
    mail_token_hash: bytes | None = field(default=None, repr=False)
    mail: MailState = MailState.PENDING
    created_at: datetime
    expires_at: datetime
    version: int = 1

    def is_good(self, now: datetime) -> bool:
        return now < self.expires_at

    def with_mailed_link(self, token: Secret) -> "Invitation":
        return replace(self, mail_token_hash=hash_of(token))


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """An invitation with the token of its link, shown this once."""

    invitation: Invitation
    token: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationPreview:
    """What somebody with the link may know before joining."""

    organization: str
    email: str
    role: Role


def new_token() -> Secret:
    return Secret(f"spi_{secrets.token_urlsafe(32)}")


def url_of(token: Secret, *, public_url: str) -> Secret:
    """The link that a person opens."""
    return Secret(f"{public_url}/invites/{token.reveal()}")


def folded(email: str) -> str:
    """The address by which two are the same. Letters beyond ASCII stay as they are: their case rules would make one
    mailbox of two (the sign for kelvin becomes `k`), and let one person take another one's invitation."""
    return email.translate(_LOWER)


def givable_by(role: Role | None) -> frozenset[Role]:
    """The roles to which somebody with that role, or with none, may invite."""
    if role is None or role is Role.MEMBER:
        return frozenset()
    return frozenset(given for given in Role if role.includes(given))
