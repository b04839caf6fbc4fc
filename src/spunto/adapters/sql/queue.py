"""The work queue in SQL, as the loops see it and as a transaction sees it."""

import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Text, bindparam, case, delete, func, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from spunto.adapters.sql.statements import Statements, first
from spunto.adapters.sql.tables.kernel import due_subjects as due
from spunto.adapters.sql.types import IdList, Instant, is_in
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.reconcile import Claim, topic

Opening = Callable[[], AbstractAsyncContextManager[Statements]]

_ARE_DUE = (
    select(due.c.subject_id, due.c.attempts)
    .where(due.c.kind == bindparam("kind"), due.c.due_at <= bindparam("now", type_=Instant))
    .order_by(due.c.due_at, due.c.subject_id)
    .limit(bindparam("limit", type_=BigInteger))
)
_TAKE = _ARE_DUE.with_for_update(skip_locked=True)
_LEASE = (
    update(due)
    .where(due.c.kind == bindparam("of_kind"), is_in(due.c.subject_id, bindparam("subject_ids", type_=IdList)))
    .values(
        due_at=bindparam("lease_ends_at", type_=Instant),
        lease_token=bindparam("token", type_=Text),
        again_at=null(),
    )
)
_IS_CLAIMED = (
    (due.c.kind == bindparam("of_kind"))
    & (due.c.subject_id == bindparam("of_subject"))
    & (due.c.lease_token == bindparam("token"))
)
_END = delete(due).where(_IS_CLAIMED, due.c.again_at.is_(None))
_look_again_at = bindparam("look_again_at", type_=Instant)
_REOPEN = (
    update(due)
    .where(_IS_CLAIMED)
    .values(
        due_at=case(
            (due.c.again_at.is_(None), _look_again_at),
            (_look_again_at < due.c.again_at, _look_again_at),
            else_=due.c.again_at,
        ),
        lease_token=null(),
        again_at=null(),
        attempts=case((bindparam("error", type_=Text).is_(None), 0), else_=due.c.attempts + 1),
        last_error=bindparam("error", type_=Text),
    )
)
_NEXT = select(func.min(due.c.due_at, type_=Instant)).where(
    due.c.kind == bindparam("kind"), due.c.lease_token.is_(None)
)


def _adding(insert: Any) -> Any:
    adding = insert(due)
    asked_at = adding.excluded.due_at
    is_free = due.c.lease_token.is_(None)
    return adding.on_conflict_do_update(
        index_elements=["kind", "subject_id"],
        set_={
            "due_at": case((is_free & (asked_at < due.c.due_at), asked_at), else_=due.c.due_at),
            "again_at": case(
                (is_free, null()),
                (due.c.again_at.is_(None) | (asked_at < due.c.again_at), asked_at),
                else_=due.c.again_at,
            ),
        },
    )


_ADD = {"sqlite": _adding(sqlite.insert), "postgresql": _adding(postgresql.insert)}


class SqlQueue:
    """Each method is a transaction of its own."""

    def __init__(self, *, writing: Opening, reading: Opening) -> None:
        self._writing = writing
        self._reading = reading

    async def claim(self, kind: str, *, now: datetime, limit: int, for_seconds: float) -> list[Claim]:
        parameters = {"kind": kind, "now": now, "limit": limit}
        # Most often nothing is due, and asking so takes no lock.
        async with self._reading() as statements:
            if not await statements.all(_ARE_DUE, {**parameters, "limit": 1}):
                return []
        token = secrets.token_hex(16)
        async with self._writing() as statements:
            rows = await statements.all(_TAKE, parameters)
            await statements.change(
                _LEASE,
                {
                    "of_kind": kind,
                    "subject_ids": [row[0] for row in rows],
                    "lease_ends_at": now + timedelta(seconds=for_seconds),
                    "token": token,
                },
            )
            await statements.commit()
        return [Claim(kind=kind, subject_id=row[0], token=token, attempts=row[1]) for row in rows]

    async def finish(self, claim: Claim, *, look_again_at: datetime | None, error_code: str | None = None) -> None:
        which = {"of_kind": claim.kind, "of_subject": claim.subject_id, "token": claim.token}
        async with self._writing() as statements:
            ended = 0
            if look_again_at is None:
                ended = await statements.change(_END, which)
            if ended == 0:
                ended = await statements.change(_REOPEN, {**which, "look_again_at": look_again_at, "error": error_code})
            if ended == 0:
                raise Conflict("lease_lost", "Somebody else has taken this over.", id=claim.subject_id)
            await statements.commit()

    async def next_due_at(self, kind: str) -> datetime | None:
        async with self._reading() as statements:
            row = await first(statements, _NEXT, {"kind": kind})
        return None if row is None else row[0]


class SqlSchedule:
    """What a transaction wants looked at, written when it commits: in one go, and in one order for all transactions, so
    that two of them don't wait for each other."""

    def __init__(self, statements: Statements, hint: Callable[[str], None]) -> None:
        self._statements = statements
        self._hint = hint
        self._added: dict[tuple[str, str], datetime] = {}

    async def add(self, kind: str, subject_id: str, *, at: datetime) -> None:
        self._added[kind, subject_id] = min(at, self._added.get((kind, subject_id), at))
        self._hint(topic(kind))

    async def flush(self) -> None:
        rows = [
            {"kind": kind, "subject_id": subject_id, "due_at": at, "attempts": 0}
            for (kind, subject_id), at in sorted(self._added.items())
        ]
        self._added.clear()
        if rows:
            await self._statements.change(_ADD[self._statements.dialect], rows)
