"""Signing in and recognising who asks: tokens in, actors out."""

import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from spunto.core.access.model import Actor, ActorKind, Session, SessionId, SignInCode, UserId
from spunto.core.access.policy import Action
from spunto.core.access.ports import AccessTransaction
from spunto.core.access.sessions import SEEN_EVERY, SESSION_IDLE, SESSION_LIFETIME, Opened, hash_of, new_session
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, Forbidden, Unauthenticated, Unavailable
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.kernel.wakeups import Wakeups

CODE_LIFETIME = timedelta(minutes=10)
# A revocation by another process is noticed this late at the most; by this one at once.
CACHE_SECONDS = 1.0
CACHE_ENTRIES = 10_000
GRANTS_TOPIC = "grants"
"""Hinted by whatever changes a session, a role or a key: what is cached of them is forgotten."""


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

    async def open_session(
        self, user_id: UserId, *, lifetime: timedelta = SESSION_LIFETIME, idle: timedelta | None = SESSION_IDLE
    ) -> Opened:
        """A session without a sign-in, for the bootstrap; without `idle` it ends by age alone."""
        opened = new_session(user_id, now=self._clock.now(), ids=self._ids, lifetime=lifetime, idle=idle)
        async with self._uow() as tx:
            await tx.sessions.add(opened.session)
            await tx.commit()
        return opened

    async def issue_code(self, user_id: UserId) -> Secret:
        """A code for a one-time sign-in URL."""
        code = Secret(secrets.token_urlsafe(32))
        expires_at = self._clock.now() + CODE_LIFETIME
        async with self._uow() as tx:
            await tx.sessions.add_code(SignInCode(code_hash=hash_of(code), user_id=user_id, expires_at=expires_at))
            await tx.commit()
        return code

    @retried
    async def redeem(self, code: Secret, *, replacing: Secret | None = None) -> Opened:
        """Open a session for a one-time code, and end the one that the same browser had.

        Raises Unauthenticated for a used, expired or unknown code; then the old session goes on.
        """
        now = self._clock.now()
        async with self._uow() as tx:
            user_id = await tx.sessions.redeem_code(hash_of(code), now=now)
            if user_id is None:
                raise Unauthenticated(
                    "code_not_good", "This sign-in link was used already or has expired; ask for a new one."
                )
            opened = new_session(user_id, now=now, ids=self._ids)
            await replace_session(tx, opened, replacing, now=now)
            await tx.commit()
        return opened

    @retried
    async def revoke(self, actor: Actor) -> None:
        """End the session that the actor came with."""
        actor.require_scope(Action.SESSION_END)
        async with self._uow() as tx:
            await tx.sessions.revoke(SessionId(actor.credential_id), at=self._clock.now())
            tx.hint(GRANTS_TOPIC)
            await tx.commit()

    @retried
    async def revoke_everywhere(self, actor: Actor) -> None:
        """End every session of the actor's user, on every device."""
        actor.require_scope(Action.SESSION_END)
        if actor.user_id is None:
            raise Forbidden("session_required", "Only a person has sessions to end.")
        async with self._uow() as tx:
            await tx.sessions.revoke_all(actor.user_id, at=self._clock.now())
            tx.hint(GRANTS_TOPIC)
            await tx.commit()

    async def _look_up(self, token_hash: bytes) -> tuple[float, Session, Actor]:
        async with self._uow.reading() as tx:
            session = await tx.sessions.find_by_hash(token_hash)
            if session is None or not session.is_good(self._clock.now()):
                self._cache.pop(token_hash, None)
                raise Unauthenticated("credential_not_good", "The token is unknown, expired or revoked; sign in again.")
            roles = await tx.grants.roles_of(session.user_id)
        session = await self._seen(session)
        actor = Actor(kind=ActorKind.USER, user_id=session.user_id, credential_id=session.id, roles=roles)
        if len(self._cache) >= CACHE_ENTRIES:
            self._cache.clear()
        entry = (self._clock.monotonic() + CACHE_SECONDS, session, actor)
        self._cache[token_hash] = entry
        return entry

    async def _seen(self, session: Session) -> Session:
        """The session as used now, written down where the last use is a while ago."""
        now = self._clock.now()
        if session.idle_seconds is None or now < session.last_seen_at + SEEN_EVERY:
            return session
        # A request must not fail for this: whoever was faster wrote the same, and the next request tries again.
        with suppress(Conflict, Unavailable):
            async with self._uow() as tx:
                await tx.sessions.mark_seen(session.id, at=now)
                await tx.commit()
        return replace(session, last_seen_at=now)


async def replace_session(tx: AccessTransaction, opened: Opened, old: Secret | None, *, now: datetime) -> None:
    """Store a new session, and end the one of the same browser."""
    await tx.sessions.add(opened.session)
    if old is not None:
        await tx.sessions.revoke_by_hash(hash_of(old), at=now)
        tx.hint(GRANTS_TOPIC)
