"""Recognising who asks: tokens in, actors out."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from spunto.core.access.key_uses import KeyUses
from spunto.core.access.model import Actor, SignInCode, UserId
from spunto.core.access.ports import AccessTransaction
from spunto.core.access.recognition import Recognition
from spunto.core.access.sessions import GRANTS_TOPIC, SESSION_IDLE, SESSION_LIFETIME, Opened, hash_of, new_session
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.kernel.wakeups import Wakeups

CODE_LIFETIME = timedelta(minutes=10)


class AccessService:
    """Sessions and API keys are recognised by their tokens; codes for signing in are given."""

    def __init__(
        self, uow: UnitOfWork[AccessTransaction], *, clock: Clock, ids: Ids, wakeups: Wakeups, uses: KeyUses
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids
        self._recognition = Recognition(uow, clock=clock, uses=uses)
        wakeups.listen(GRANTS_TOPIC, self._recognition.forget)

    async def authenticate(self, token: Secret, *, request_id: str = "") -> Actor:
        """The actor behind a bearer token or cookie. Raises Unauthenticated for anything that is not good now."""
        return replace(await self._recognition.actor_of(token), request_id=request_id)

    async def changed(self, actors: Collection[Actor]) -> Sequence[Actor]:
        """Those who would not be recognised any more as what they are; they are looked up again when they next ask."""
        return await self._recognition.changed(actors)

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
