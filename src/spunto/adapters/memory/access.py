"""Sessions, sign-in codes and grants in memory."""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime

from spunto.adapters.memory.api_keys import MemoryApiKeys
from spunto.adapters.memory.rows import Draft
from spunto.core.access.model import OrgId, Session, SessionId, SignInCode, UserId
from spunto.core.access.policy import Role
from spunto.core.access.ports import HeldKey, HeldSession
from spunto.core.orgs.model import Membership, Organization


class MemorySessions:
    def __init__(self, sessions: Draft[SessionId, Session], codes: Draft[bytes, SignInCode]) -> None:
        self._sessions = sessions
        self._codes = codes

    async def add(self, session: Session) -> None:
        self._sessions.put(session.id, session)

    def with_hash(self, token_hash: bytes) -> Session | None:
        return next((session for session in self._sessions.values() if session.token_hash == token_hash), None)

    async def find_all(self, session_ids: Collection[SessionId]) -> Sequence[Session]:
        return [session for session_id in session_ids if (session := self._sessions.get(session_id)) is not None]

    async def revoke(self, session_id: SessionId, *, at: datetime) -> None:
        session = self._sessions.get(session_id)
        if session is not None and session.revoked_at is None:
            self._sessions.put(session_id, replace(session, revoked_at=at))

    async def revoke_all(self, user_id: UserId, *, at: datetime) -> None:
        for session in list(self._sessions.values()):
            if session.user_id == user_id:
                await self.revoke(session.id, at=at)

    async def revoke_by_hash(self, token_hash: bytes, *, at: datetime) -> None:
        session = self.with_hash(token_hash)
        if session is not None:
            await self.revoke(session.id, at=at)

    async def mark_seen(self, session_id: SessionId, *, at: datetime) -> None:
        session = self._sessions.get(session_id)
        if session is not None and session.last_seen_at < at:
            self._sessions.put(session_id, replace(session, last_seen_at=at))

    async def add_code(self, code: SignInCode) -> None:
        self._codes.put(code.code_hash, code)

    async def redeem_code(self, code_hash: bytes, *, now: datetime) -> UserId | None:
        code = self._codes.get(code_hash)
        if code is None or now >= code.expires_at:
            return None
        self._codes.drop(code_hash)
        return code.user_id


class MemoryGrants:
    def __init__(
        self,
        memberships: Draft[tuple[OrgId, UserId], Membership],
        organizations: Draft[OrgId, Organization],
        sessions: MemorySessions,
        api_keys: MemoryApiKeys,
    ) -> None:
        self._memberships = memberships
        self._organizations = organizations
        self._sessions = sessions
        self._api_keys = api_keys

    async def find_key(self, kid: str) -> HeldKey | None:
        key = self._api_keys.with_kid(kid)
        if key is None:
            return None
        if key.user_id is None:
            return HeldKey(key, None if self._organizations.get(key.org_id) is None else Role.ADMIN)
        return HeldKey(key, (await self.roles_of(key.user_id)).get(key.org_id))

    async def find_session(self, token_hash: bytes) -> HeldSession | None:
        session = self._sessions.with_hash(token_hash)
        return None if session is None else HeldSession(session, await self.roles_of(session.user_id))

    async def roles_of(self, user_id: UserId) -> Mapping[OrgId, Role]:
        return {held.org_id: held.role for held in self._memberships.values() if held.user_id == user_id}

    async def roles_of_all(self, user_ids: Collection[UserId]) -> Mapping[UserId, Mapping[OrgId, Role]]:
        return {user_id: await self.roles_of(user_id) for user_id in user_ids}

    async def only_member_of(self, org_id: OrgId) -> UserId | None:
        members = [held.user_id for held in self._memberships.values() if held.org_id == org_id]
        return members[0] if len(members) == 1 else None

    async def organizations_among(self, org_ids: Collection[OrgId]) -> Set[OrgId]:
        return {org_id for org_id in org_ids if self._organizations.get(org_id) is not None}
