"""Signing in by a one-time link and out, and what the organizations of whoever does so are told of it."""

from enum import StrEnum
from typing import Final

from spunto.core.access.model import Actor, ActorKind, Session, SessionId, Tenant
from spunto.core.access.policy import Action
from spunto.core.access.sessions import GRANTS_TOPIC, Opened, hash_of, new_session, replace_session
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Forbidden, Unauthenticated
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.ports import OrgsTransaction

_EVERYWHERE: Final = {"everywhere": "true"}


class Way(StrEnum):
    """How somebody signed in."""

    LINK = "link"
    PROVIDER = "provider"
    DEVICE = "device"


class SessionService:
    def __init__(self, uow: UnitOfWork[OrgsTransaction], *, auditor: Auditor, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    @retried
    async def redeem(self, code: Secret, *, replacing: Secret | None = None, request_id: str = "") -> Opened:
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
            await record_begin(tx, self._auditor, opened.session, Way.LINK, request_id=request_id)
            await tx.commit()
        return opened

    @retried
    async def end(self, actor: Actor) -> None:
        """End the session that the actor came with."""
        actor.require_scope(Action.SESSION_END)
        async with self._uow() as tx:
            await tx.sessions.revoke(SessionId(actor.credential_id), at=self._clock.now())
            await _record(tx, self._auditor, actor, Action.SESSION_END, actor.credential_id)
            tx.hint(GRANTS_TOPIC)
            await tx.commit()

    @retried
    async def end_everywhere(self, actor: Actor) -> None:
        """End every session of the actor's user, on every device."""
        actor.require_scope(Action.SESSION_END)
        if actor.user_id is None:
            raise Forbidden("session_required", "Only a person has sessions to end.")
        async with self._uow() as tx:
            await tx.sessions.revoke_all(actor.user_id, at=self._clock.now())
            await _record(tx, self._auditor, actor, Action.SESSION_END, actor.user_id, **_EVERYWHERE)
            tx.hint(GRANTS_TOPIC)
            await tx.commit()


async def record_begin(
    tx: OrgsTransaction, auditor: Auditor, session: Session, way: Way, *, request_id: str = ""
) -> None:
    """Somebody has signed in: in the log of each organization that the session reaches."""
    actor = Actor(
        kind=ActorKind.USER,
        user_id=session.user_id,
        credential_id=session.id,
        roles=await tx.grants.roles_of(session.user_id),
        request_id=request_id,
    )
    await _record(tx, auditor, actor, Action.SESSION_BEGIN, session.id, by=way.value)


async def _record(
    tx: OrgsTransaction, auditor: Auditor, actor: Actor, action: Action, target_id: str, **detail: str
) -> None:
    for org_id, role in actor.roles.items():
        await auditor.record(tx, Tenant(org_id=org_id, role=role, actor=actor), action, target_id, **detail)
