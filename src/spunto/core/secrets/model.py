"""Secrets of users and of organizations: variables of workers, kept only as what a cipher made of them."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NewType

from spunto.core.access.model import OrgId, UserId

SecretId = NewType("SecretId", str)
SecretOwner = UserId | OrgId

MAX_VALUE_BYTES: Final = 64 * 1024
# All values of one owner, and all that one worker gets: they must fit a frame to a node, and a process's environment.
MAX_OWNER_BYTES: Final = 256 * 1024
MAX_OWNER_SECRETS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A value under a key of its own, which in turn is wrapped by the server's key named `key_id`."""

    key_id: str
    wrapped_key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Which workers of its owner a secret enters: `own`, of project versions that the owner made and of every project
    where the owner is alone in the organization; those of the projects named; or `everywhere`."""

    own: bool = False
    everywhere: bool = False
    project_ids: frozenset[str] = frozenset()

    def with_project(self, project_id: str) -> "Consent":
        return replace(self, project_ids=self.project_ids | {project_id})


OWN: Final = Consent(own=True)
EVERYWHERE: Final = Consent(everywhere=True)
NOWHERE: Final = Consent()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """`version` counts values and is sealed in with each: neither a row of another secret nor an older one opens."""

    id: SecretId
    owner_id: SecretOwner
    name: str
    sealed: Sealed
    size_bytes: int
    consent: Consent = OWN
    created_at: datetime
    updated_at: datetime
    version: int = 1

    @property
    def bound_to(self) -> bytes:
        """What the sealed value belongs to."""
        return bound_to(owner_id=self.owner_id, secret_id=self.id, name=self.name, version=self.version)

    def replaced(self, sealed: Sealed, *, size_bytes: int, at: datetime) -> "StoredSecret":
        """With the next value, sealed for the next version."""
        return replace(self, sealed=sealed, size_bytes=size_bytes, updated_at=at, version=self.version + 1)

    def entering(self, consent: Consent) -> "StoredSecret":
        """With the same value, for other workers."""
        return replace(self, consent=consent)


def bound_to(*, owner_id: SecretOwner, secret_id: SecretId, name: str, version: int) -> bytes:
    """`org|user|secret id|name|version`, of which a secret has one owner; no part can hold the separator."""
    owner = f"{owner_id}|-" if owner_id.startswith("org_") else f"-|{owner_id}"
    return f"{owner}|{secret_id}|{name}|{version}".encode()
