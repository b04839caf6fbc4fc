"""Users' secrets: environment variables of their workers, kept only as what a cipher made of them."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NewType

from spunto.core.access.model import UserId

SecretId = NewType("SecretId", str)

MAX_VALUE_BYTES: Final = 64 * 1024
# All of a user's values together: they must fit a frame to a node, and a process's environment.
MAX_USER_BYTES: Final = 256 * 1024
MAX_USER_SECRETS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A value under a key of its own, which in turn is wrapped by the server's key named `key_id`."""

    key_id: str
    wrapped_key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSecret:
    """`version` counts values and is sealed in with each: neither a row of another secret nor an older one opens."""

    id: SecretId
    user_id: UserId
    name: str
    sealed: Sealed
    size_bytes: int
    created_at: datetime
    updated_at: datetime
    version: int = 1

    @property
    def bound_to(self) -> bytes:
        """What the sealed value belongs to; user secrets belong to no organization."""
        return bound_to(user_id=self.user_id, secret_id=self.id, name=self.name, version=self.version)

    def replaced(self, sealed: Sealed, *, size_bytes: int, at: datetime) -> "UserSecret":
        """With the next value, sealed for the next version."""
        return replace(self, sealed=sealed, size_bytes=size_bytes, updated_at=at, version=self.version + 1)


def bound_to(*, user_id: UserId, secret_id: SecretId, name: str, version: int) -> bytes:
    """`org|owner|secret id|name|version`; no part can hold the separator."""
    return f"-|{user_id}|{secret_id}|{name}|{version}".encode()
