"""Sessions, sign-in codes and grants in SQL."""

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from spunto.adapters.sql.api_keys import key_of
from spunto.adapters.sql.statements import Statements, first
from spunto.adapters.sql.tables.access import api_keys, sessions, sign_in_codes
from spunto.adapters.sql.tables.orgs import memberships, organizations
from spunto.adapters.sql.types import ID, IdList, Instant, is_in
from spunto.core.access.model import OrgId, Session, SessionId, SignInCode, UserId
from spunto.core.access.policy import Role
from spunto.core.access.ports import HeldKey, HeldSession

_BY_HASH = (
    select(sessions, memberships.c.org_id, memberships.c.role)
    .outerjoin(memberships, memberships.c.user_id == sessions.c.user_id)
    .where(sessions.c.token_hash == bindparam("token_hash"))
)
_BY_KID = (
    select(api_keys, memberships.c.role, organizations.c.id)
    .outerjoin(memberships, (memberships.c.org_id == api_keys.c.org_id) & (memberships.c.user_id == api_keys.c.user_id))
    .outerjoin(organizations, (organizations.c.id == api_keys.c.org_id) & api_keys.c.user_id.is_(None))
    .where(api_keys.c.kid == bindparam("of_kid", type_=ID))
)
_BY_IDS = select(sessions).where(is_in(sessions.c.id, bindparam("ids", type_=IdList)))
_ADD = insert(sessions)
_REVOKE = (
    update(sessions)
    .where(sessions.c.id == bindparam("session_id"), sessions.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at", type_=Instant))
)
_REVOKE_ALL = (
    update(sessions)
    .where(sessions.c.user_id == bindparam("of_user"), sessions.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at", type_=Instant))
)
_REVOKE_BY_HASH = (
    update(sessions)
    .where(sessions.c.token_hash == bindparam("of_hash"), sessions.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at", type_=Instant))
)
_MARK_SEEN = (
    update(sessions)
    .where(sessions.c.id == bindparam("session_id"), sessions.c.last_seen_at < bindparam("at", type_=Instant))
    .values(last_seen_at=bindparam("at", type_=Instant))
)
_FORGET = delete(sessions).where(
    sessions.c.id.in_(
        select(sessions.c.id)
        .where(sessions.c.expires_at <= bindparam("now", type_=Instant))
        .limit(10)
        .with_for_update(skip_locked=True)
    )
)
_ADD_CODE = insert(sign_in_codes)
_REDEEM = (
    delete(sign_in_codes)
    .where(
        sign_in_codes.c.code_hash == bindparam("code_hash"),
        sign_in_codes.c.expires_at > bindparam("now", type_=Instant),
    )
    .returning(sign_in_codes.c.user_id)
)
_FORGET_CODES = delete(sign_in_codes).where(sign_in_codes.c.expires_at <= bindparam("now", type_=Instant))
_ROLES = select(memberships.c.org_id, memberships.c.role).where(memberships.c.user_id == bindparam("user_id"))
_ROLES_OF_ALL = select(memberships.c.user_id, memberships.c.org_id, memberships.c.role).where(
    is_in(memberships.c.user_id, bindparam("ids", type_=IdList))
)
_SOME_MEMBERS = select(memberships.c.user_id).where(memberships.c.org_id == bindparam("org_id")).limit(2)
_ORGANIZATIONS = select(organizations.c.id).where(is_in(organizations.c.id, bindparam("ids", type_=IdList)))


class SqlSessionRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, session: Session) -> None:
        """Also forgets a few that have expired, so that they don't pile up."""
        await self._statements.change(_FORGET, {"now": session.created_at})
        await self._statements.change(
            _ADD,
            {
                "id": session.id,
                "user_id": session.user_id,
                "token_hash": session.token_hash,
                "created_at": session.created_at,
                "expires_at": session.expires_at,
                "last_seen_at": session.last_seen_at,
                "idle_seconds": session.idle_seconds,
                "revoked_at": session.revoked_at,
            },
        )

    async def find_all(self, session_ids: Collection[SessionId]) -> Sequence[Session]:
        return [_session(row) for row in await self._statements.all(_BY_IDS, {"ids": list(session_ids)})]

    async def revoke(self, session_id: SessionId, *, at: datetime) -> None:
        await self._statements.change(_REVOKE, {"session_id": session_id, "at": at})

    async def revoke_all(self, user_id: UserId, *, at: datetime) -> None:
        await self._statements.change(_REVOKE_ALL, {"of_user": user_id, "at": at})

    async def revoke_by_hash(self, token_hash: bytes, *, at: datetime) -> None:
        await self._statements.change(_REVOKE_BY_HASH, {"of_hash": token_hash, "at": at})

    async def mark_seen(self, session_id: SessionId, *, at: datetime) -> None:
        await self._statements.change(_MARK_SEEN, {"session_id": session_id, "at": at})

    async def add_code(self, code: SignInCode) -> None:
        await self._statements.change(
            _ADD_CODE, {"code_hash": code.code_hash, "user_id": code.user_id, "expires_at": code.expires_at}
        )

    async def redeem_code(self, code_hash: bytes, *, now: datetime) -> UserId | None:
        """Also forgets what has expired, so that it doesn't pile up."""
        row = await first(self._statements, _REDEEM, {"code_hash": code_hash, "now": now})
        await self._statements.change(_FORGET_CODES, {"now": now})
        return None if row is None else UserId(row[0])


class SqlGrantRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find_key(self, kid: str) -> HeldKey | None:
        row = await first(self._statements, _BY_KID, {"of_kid": kid})
        if row is None:
            return None
        *columns, role, owning_org = row
        key = key_of(columns)
        if key.user_id is None:
            return HeldKey(key, None if owning_org is None else Role.ADMIN)
        return HeldKey(key, None if role is None else Role(role))

    async def find_session(self, token_hash: bytes) -> HeldSession | None:
        rows = await self._statements.all(_BY_HASH, {"token_hash": token_hash})
        if not rows:
            return None
        roles = {OrgId(org_id): Role(role) for *_, org_id, role in rows if org_id is not None}
        return HeldSession(_session(rows[0][:-2]), roles)

    async def roles_of(self, user_id: UserId) -> Mapping[OrgId, Role]:
        rows = await self._statements.all(_ROLES, {"user_id": user_id})
        return {org_id: Role(role) for org_id, role in rows}

    async def roles_of_all(self, user_ids: Collection[UserId]) -> Mapping[UserId, Mapping[OrgId, Role]]:
        roles: dict[UserId, dict[OrgId, Role]] = {user_id: {} for user_id in user_ids}
        for user_id, org_id, role in await self._statements.all(_ROLES_OF_ALL, {"ids": list(user_ids)}):
            roles[user_id][org_id] = Role(role)
        return roles

    async def only_member_of(self, org_id: OrgId) -> UserId | None:
        rows = await self._statements.all(_SOME_MEMBERS, {"org_id": org_id})
        return rows[0][0] if len(rows) == 1 else None

    async def organizations_among(self, org_ids: Collection[OrgId]) -> Set[OrgId]:
        return {org_id for (org_id,) in await self._statements.all(_ORGANIZATIONS, {"ids": list(org_ids)})}


def _session(row: Sequence[Any]) -> Session:
    session_id, user_id, token_hash, created_at, expires_at, last_seen_at, idle_seconds, revoked_at = row
    return Session(
        id=session_id,
        user_id=user_id,
        token_hash=token_hash,
        created_at=created_at,
        expires_at=expires_at,
        last_seen_at=last_seen_at,
        idle_seconds=idle_seconds,
        revoked_at=revoked_at,
    )
