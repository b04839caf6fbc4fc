"""What the access slice needs from storage."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from spunto.core.access.model import OrgId, Session, SessionId, SignInCode, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.uow import Transaction


class SessionRepository(Protocol):
    async def add(self, session: Session) -> None: ...

    async def find_by_hash(self, token_hash: bytes) -> Session | None: ...

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


class GrantRepository(Protocol):
    async def roles_of(self, user_id: UserId) -> Mapping[OrgId, Role]:
        """The live roles of a user, by organization."""


class AccessTransaction(Transaction, Protocol):
    @property
    def sessions(self) -> SessionRepository: ...
    @property
    def grants(self) -> GrantRepository: ...
