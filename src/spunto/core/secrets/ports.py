"""What the secrets slice needs: storage, and a cipher."""

from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any, Protocol, TypeVar

from spunto.core.access.model import OrgId
from spunto.core.access.ports import GrantRepository
from spunto.core.activity.events import EventFeed
from spunto.core.activity.model import AuditLog
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import Transaction
from spunto.core.orgs.ports import OrganizationRepository
from spunto.core.secrets.model import Consent, Sealed, SecretId, SecretOwner, StoredSecret


class Cipher(Protocol):
    """Envelope encryption under a ring of keys. Calls are short and block.

    `bound_to` names what the value belongs to; under another name it does not open.
    """

    def seal(self, value: Secret, *, bound_to: bytes) -> Sealed:
        """Under a fresh key of the value's own, wrapped by the current key."""

    def open(self, sealed: Sealed, *, bound_to: bytes) -> Secret:
        """Raises Unavailable `secret_key_missing` without the key, `secret_unreadable` where it does not fit."""

    def rewrap(self, sealed: Sealed, *, bound_to: bytes) -> Sealed:
        """The same ciphertext, its key wrapped by the current key. Raises what `open` raises."""

    def key_ids(self) -> Sequence[str]:
        """The ids of the keys there are, the current one first."""


class SealedRow(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def sealed(self) -> Sealed: ...
    @property
    def bound_to(self) -> bytes: ...


R = TypeVar("R", bound=SealedRow)


class SealedRows(Protocol[R]):
    """Sealed values of one kind, as they are moved from key to key."""

    async def not_under(self, key_id: str, *, after: str, limit: int) -> Sequence[R]:
        """Those of anybody whose key is wrapped by another key, by id, from behind the id `after`."""

    async def rewrap(self, rewrapped: Sequence[tuple[R, Sealed]]) -> None:
        """Write each wrapping, but not over a row whose value or wrapping changed since it was read."""

    async def count_by_key(self) -> Mapping[str, int]:
        """How many each key wraps; keys that wrap none are not named."""


class SecretRepository(SealedRows[StoredSecret], Protocol):
    """`rewrap` and `let_into` alone change a row without counting its version up."""

    async def add(self, secret: StoredSecret) -> None:
        """Raises StaleVersion where the owner has a secret of that name."""

    async def get(self, owner_id: SecretOwner, secret_id: SecretId) -> StoredSecret:
        """Raises NotFound `secret_not_found`, also for another owner's."""

    async def list(self, owner_id: SecretOwner, page: PageRequest) -> Page[StoredSecret]: ...

    async def of_owners(self, owner_ids: Collection[SecretOwner]) -> Sequence[StoredSecret]:
        """All of theirs, by id."""

    async def update(self, secret: StoredSecret) -> None:
        """Write version n over version n - 1. Raises StaleVersion."""

    async def let_into(self, secret: StoredSecret, consent: Consent) -> None:
        """Change the consent of this version. Raises StaleVersion where value or consent is no longer the secret's."""

    async def remove(self, secret: StoredSecret) -> None:
        """Raises StaleVersion."""


class ProjectIds(Protocol):
    """Projects, which consent only names: they are of a slice above this one."""

    async def among(self, org_ids: Collection[OrgId], project_ids: Collection[str]) -> Set[str]:
        """Those of the projects that there are in these organizations."""


class CanaryRepository(Protocol):
    """One sealed value that is no secret: whether it opens tells at a start whether the keys are the right ones."""

    async def find(self) -> Sealed | None: ...

    async def add(self, canary: Sealed) -> None:
        """Raises StaleVersion where there is one."""

    async def replace(self, before: Sealed, after: Sealed) -> None:
        """Raises StaleVersion where it is no longer the one before."""


class SecretsTransaction(Transaction, Protocol):
    @property
    def organizations(self) -> OrganizationRepository: ...
    @property
    def secrets(self) -> SecretRepository: ...
    # Of a slice above this one; the rotation only moves what it can name.
    @property
    def webhook_secrets(self) -> SealedRows[Any]: ...
    @property
    def known_projects(self) -> ProjectIds: ...
    @property
    def grants(self) -> GrantRepository: ...
    @property
    def canary(self) -> CanaryRepository: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def events(self) -> EventFeed: ...
