"""What the access slice needs from storage."""

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple, Protocol

from spunto.core.access.api_keys import ApiKey
from spunto.core.access.model import ApiKeyId, OrgId, Session, SessionId, SignInCode, Tenant, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.uow import Transaction


class SessionRepository(Protocol):
    async def add(self, session: Session) -> None: ...

    async def find_all(self, session_ids: Collection[SessionId]) -> Sequence[Session]:
        """Those of them that there are, in any order."""

    async def revoke(self, session_id: SessionId, *, at: datetime) -> None:
        """Revoke; repeating keeps the first time."""

    async def revoke_all(self, user_id: UserId, *, at: datetime) -> None:
        """Revoke every session of the user that is not revoked yet."""

    async def revoke_by_hash(self, token_hash: bytes, *, at: datetime) -> None:
        """Revoke the session with that token, where there is one."""

    async def mark_seen(self, session_id: SessionId, *, at: datetime) -> None:
        """Note the last use; of several the latest stays."""

    async def add_code(self, code: SignInCode) -> None: ...

    async def redeem_code(self, code_hash: bytes, *, now: datetime) -> UserId | None:
        """Use the code up: of any number of callers at most one gets the user, and none after its expiry."""


class ApiKeyRepository(Protocol):
    async def add(self, key: ApiKey) -> None: ...

    async def get(self, tenant: Tenant, key_id: ApiKeyId) -> ApiKey:
        """Raises NotFound `api_key_not_found`, also for a revoked one."""

    async def list(self, tenant: Tenant, page: PageRequest, *, of_user: UserId | None = None) -> Page[ApiKey]:
        """Keys that are not revoked, newest first; those of one user, or all."""

    async def find_all(self, key_ids: Collection[ApiKeyId]) -> Sequence[ApiKey]:
        """Those of them that there are, also revoked ones, in any order."""

    async def mark_used(self, key_id: ApiKeyId, *, at: datetime) -> None:
        """Note the last use, unless one less than `USED_EVERY` before is noted already."""

    async def revoke(self, tenant: Tenant, key_id: ApiKeyId, *, at: datetime) -> None:
        """Revoke; repeating keeps the first time."""

    async def revoke_of(self, tenant: Tenant, user_id: UserId, *, at: datetime) -> None:
        """Revoke the user's own keys in the organization."""

    async def remove_all(self, tenant: Tenant) -> None:
        """Forget every key of the organization."""


class HeldKey(NamedTuple):
    """A key with what its owner may now, in its organization: an admin of it where it owns the key, None for nobody."""

    key: ApiKey
    role: Role | None


class HeldSession(NamedTuple):
    """A session with its user's live roles, by organization."""

    session: Session
    roles: Mapping[OrgId, Role]


class GrantRepository(Protocol):
    async def find_key(self, kid: str) -> HeldKey | None:
        """Also a revoked one. One question, since everybody who comes anew waits for it."""

    async def find_session(self, token_hash: bytes) -> HeldSession | None:
        """Also a revoked one."""

    async def roles_of(self, user_id: UserId) -> Mapping[OrgId, Role]:
        """The live roles of a user, by organization."""

    async def roles_of_all(self, user_ids: Collection[UserId]) -> Mapping[UserId, Mapping[OrgId, Role]]:
        """The live roles of each user; nobody is left out."""

    async def only_member_of(self, org_id: OrgId) -> UserId | None:
        """Whoever is alone in the organization; None where there are several, or nobody."""

    async def organizations_among(self, org_ids: Collection[OrgId]) -> Set[OrgId]:
        """Those of them that there are."""


class SessionsTransaction(Transaction, Protocol):
    @property
    def sessions(self) -> SessionRepository: ...


class AccessTransaction(SessionsTransaction, Protocol):
    @property
    def api_keys(self) -> ApiKeyRepository: ...
    @property
    def grants(self) -> GrantRepository: ...
