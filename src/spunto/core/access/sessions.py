"""New sessions: how long they live, and the token that is shown once."""

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spunto.core.access.model import Session, SessionId, UserId
from spunto.core.access.ports import AccessTransaction, SessionsTransaction
from spunto.core.kernel.errors import Conflict, Unavailable
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork

SESSION_LIFETIME = timedelta(days=7)
SESSION_IDLE = timedelta(hours=24)
# More often than this a session's last use is not written down.
SEEN_EVERY = timedelta(minutes=1)
GRANTS_TOPIC = "grants"
"""Hinted by whatever changes a session, a role or a key: what is cached of them is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A new session with its token, shown this once."""

    session: Session
    token: Secret


def new_session(
    user_id: UserId,
    *,
    now: datetime,
    ids: Ids,
    lifetime: timedelta = SESSION_LIFETIME,
    idle: timedelta | None = SESSION_IDLE,
) -> Opened:
    """Not stored yet. Without `idle` it ends by age alone."""
    token = Secret(f"sps_{secrets.token_urlsafe(32)}")
    session = Session(
        id=SessionId(ids.new("ses")),
        user_id=user_id,
        token_hash=hash_of(token),
        created_at=now,
        expires_at=now + lifetime,
        last_seen_at=now,
        idle_seconds=None if idle is None else int(idle.total_seconds()),
    )
    return Opened(session=session, token=token)


def hash_of(token: Secret) -> bytes:
    """What is stored of a token of ours; 256 random bits need no slow hash."""
    return hashlib.sha256(token.reveal().encode()).digest()


async def replace_session(tx: AccessTransaction, opened: Opened, old: Secret | None, *, now: datetime) -> None:
    """Store a new session, and end the one of the same browser."""
    await tx.sessions.add(opened.session)
    if old is not None:
        await tx.sessions.revoke_by_hash(hash_of(old), at=now)
        tx.hint(GRANTS_TOPIC)


async def note_seen(
    uow: UnitOfWork[SessionsTransaction], sessions: Sequence[Session], *, now: datetime
) -> Sequence[Session]:
    """The sessions as used now, written down where the last use is a while ago."""
    late = {each.id for each in sessions if each.idle_seconds is not None and now >= each.last_seen_at + SEEN_EVERY}
    if not late:
        return sessions
    # A request must not fail for this: whoever was faster wrote the same, and the next request tries again.
    with suppress(Conflict, Unavailable):
        async with uow() as tx:
            for session_id in late:
                await tx.sessions.mark_seen(session_id, at=now)
            await tx.commit()
    return [replace(each, last_seen_at=now) if each.id in late else each for each in sessions]
