"""API keys: how their tokens look, what is kept of them, and as whom they act."""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from spunto.core.access.model import Actor, ActorKind, ApiKeyId, OrgId, UserId
from spunto.core.access.policy import Role, Scope
from spunto.core.kernel.secret import Secret

KEY_LIFETIME: Final = timedelta(days=90)
# Longer than this, or for ever, a key lives only where an owner says so.
LONGEST_LIFETIME: Final = timedelta(days=366)
USED_EVERY: Final = timedelta(minutes=1)
"""More often than this a key's last use is not written down."""

_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KID_DIGITS: Final = 12
# As many as 256 bits need.
_SECRET_DIGITS: Final = 43
_CHECKSUM_DIGITS: Final = 6
_TOKEN: Final = re.compile(r"(spk_([0-9A-Za-z]{12})_([0-9A-Za-z]{43}))([0-9A-Za-z]{6})\Z")
_NOBODY: Final = hashlib.sha256(b"").digest()


class OwnerType(StrEnum):
    """`user` acts as one member and dies with the membership; `org` survives whoever made it."""

    USER = "user"
    ORG = "org"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """Of its token only the hash is kept. `user_id` is its owner, None for a key of the organization."""

    id: ApiKeyId
    org_id: OrgId
    name: str
    user_id: UserId | None
    created_by: UserId
    kid: str
    secret_hash: bytes = field(repr=False)
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def owner_type(self) -> OwnerType:
        return OwnerType.ORG if self.user_id is None else OwnerType.USER

    @property
    def prefix(self) -> str:
        """The beginning of its token, by which people tell keys apart."""
        return f"spk_{self.kid}"

    def is_good(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def acting_as(self, role: Role | None) -> Actor | None:
        """The actor behind it, by the role that its owner has now; None where the owner has none.

        A key of the organization is an admin of it, whoever made it.
        """
        if role is None:
            return None
        return Actor(
            kind=ActorKind.API_KEY,
            user_id=self.user_id,
            api_key_id=self.id,
            credential_id=self.id,
            roles={self.org_id: role},
            scopes=self.scopes,
            expires_at=self.expires_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyToken:
    """A token taken apart: by `kid` its key is found, by the secret's hash it is proven."""

    kid: str
    secret_hash: bytes = field(repr=False)

    def proves(self, key: ApiKey | None) -> bool:
        """Whether it is the token of that key; a missing one costs as much time."""
        return hmac.compare_digest(self.secret_hash, _NOBODY if key is None else key.secret_hash) and key is not None


def new_token() -> Secret:
    kid = "".join(secrets.choice(_DIGITS) for _ in range(_KID_DIGITS))
    body = f"spk_{kid}_{_base62(secrets.randbits(256), _SECRET_DIGITS)}"
    return Secret(f"{body}{_checksum(body)}")


def parsed(token: Secret) -> KeyToken | None:
    """None for whatever is not a key's token, such as one with a typing mistake."""
    match = _TOKEN.match(token.reveal())
    if match is None:
        return None
    body, kid, secret, checksum = match.groups()
    if checksum != _checksum(body):
        return None
    return KeyToken(kid=kid, secret_hash=hashlib.sha256(secret.encode()).digest())


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_DIGITS)


def _base62(value: int, digits: int) -> str:
    written = ""
    for _ in range(digits):
        value, digit = divmod(value, 62)
        written = _DIGITS[digit] + written
    return written
