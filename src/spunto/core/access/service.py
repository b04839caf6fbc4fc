"""Signing in and recognising who asks: tokens in, actors out."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

from spunto.core.access.model import Actor, ActorKind, Session, SessionId, SignInCode, UserId
from spunto.core.access.ports import AccessTransaction
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unauthenticated
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.kernel.wakeups import Wakeups

SESSION_LIFETIME = timedelta(days=7)
CODE_LIFETIME = timedelta(minutes=10)
# A revocation by another process is noticed this late at the most; by this one at once.
CACHE_SECONDS = 1.0
CACHE_ENTRIES = 10_000
GRANTS_TOPIC = "grants"
"""Hinted by whatever changes a session, a role or a key: what is cached of them is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A new session with its token, shown this once."""

    session: Session
    token: Secret


class AccessService:
    """Sessions: opened by code, recognised by token, revoked."""

    def __init__(self, uow: UnitOfWork[AccessTransaction], *, clock: Clock, ids: Ids, wakeups: Wakeups) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids
        self._cache: dict[bytes, tuple[float, Session, Actor]] = {}
        wakeups.listen(GRANTS_TOPIC, self._cache.clear)

    async def authenticate(self, token: Secret, *, request_id: str = "") -> Actor:
        """The actor behind a bearer token or cookie. Raises Unauthenticated for anything that is not good now."""
        token_hash = hash_of(token)
        cached = self._cache.get(token_hash)
        if cached is None or cached[0] < self._clock.monotonic() or not cached[1].is_good(self._clock.now()):
            cached = await self._look_up(token_hash)
        return replace(cached[2], request_id=request_id)

    async def open_session(self, user_id: UserId, *, lifetime: timedelta = SESSION_LIFETIME) -> Opened:
        token = Secret(f"sps_{secrets.token_urlsafe(32)}")
        now = self._clock.now()
        session = Session(
            id=SessionId(self._ids.new("ses")),
            user_id=user_id,
            token_hash=hash_of(token),
            created_at=now,
            expires_at=now + lifetime,
        )
        async with self._uow() as tx:
            await tx.sessions.add(session)
            await tx.commit()
        return Opened(session=session, token=token)

    async def issue_code(self, user_id: UserId) -> Secret:
        """A code for a one-time sign-in URL."""
        code = Secret(secrets.token_urlsafe(32))
        expires_at = self._clock.now() + CODE_LIFETIME
        async with self._uow() as tx:
            await tx.sessions.add_code(SignInCode(code_hash=hash_of(code), user_id=user_id, expires_at=expires_at))
            await tx.commit()
        return code

    @retried
    async def redeem(self, code: Secret) -> Opened:
        """Open a session for a one-time code. Raises Unauthenticated for a used, expired or unknown one."""
        async with self._uow() as tx:
            user_id = await tx.sessions.redeem_code(hash_of(code), now=self._clock.now())
            await tx.commit()
        if user_id is None:
            raise Unauthenticated(
                "code_not_good", "This sign-in link was used already or has expired; ask for a new one."
            )
        return await self.open_session(user_id)

    async def revoke(self, actor: Actor) -> None:
        """End the session that the actor came with."""
        async with self._uow() as tx:
            await tx.sessions.revoke(SessionId(actor.credential_id), at=self._clock.now())
            tx.hint(GRANTS_TOPIC)
            await tx.commit()

    async def _look_up(self, token_hash: bytes) -> tuple[float, Session, Actor]:
        async with self._uow.reading() as tx:
            session = await tx.sessions.find_by_hash(token_hash)
            if session is None or not session.is_good(self._clock.now()):
                self._cache.pop(token_hash, None)
                raise Unauthenticated("credential_not_good", "The token is unknown, expired or revoked; sign in again.")
            roles = await tx.grants.roles_of(session.user_id)
        actor = Actor(kind=ActorKind.USER, user_id=session.user_id, credential_id=session.id, roles=roles)
        if len(self._cache) >= CACHE_ENTRIES:
            self._cache.clear()
        entry = (self._clock.monotonic() + CACHE_SECONDS, session, actor)
        self._cache[token_hash] = entry
        return entry


def hash_of(token: Secret) -> bytes:
    """What is stored of a token of ours; 256 random bits need no slow hash (security.md 3.3)."""
    return hashlib.sha256(token.reveal().encode()).digest()
