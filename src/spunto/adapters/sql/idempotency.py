"""Remembered requests in SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from spunto.adapters.sql.statements import Statements, first
from spunto.adapters.sql.tables.kernel import remembered_requests as requests
from spunto.adapters.sql.types import Instant
from spunto.core.kernel.errors import StaleVersion
from spunto.core.kernel.idempotency import REMEMBERED_FOR, IdempotencyKey, Remembered

_EXPIRED = requests.c.made_at <= bindparam("cutoff", type_=Instant)
_FIND = select(requests.c.subject_id, requests.c.fingerprint, requests.c.answer).where(
    requests.c.scope == bindparam("scope"), requests.c.key == bindparam("key"), ~_EXPIRED
)
_FORGET = delete(requests).where(
    tuple_(requests.c.scope, requests.c.key).in_(
        select(requests.c.scope, requests.c.key).where(_EXPIRED).limit(10).with_for_update(skip_locked=True)
    )
)


def _adding(insert: Any) -> Any:
    adding = insert(requests)
    changed = {name: adding.excluded[name] for name in ("fingerprint", "subject_id", "made_at", "answer")}
    return adding.on_conflict_do_update(index_elements=["scope", "key"], set_=changed, where=_EXPIRED)


_ADD = {"sqlite": _adding(sqlite.insert), "postgresql": _adding(postgresql.insert)}


class SqlIdempotencyRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(self, scope: str, key: IdempotencyKey, *, now: datetime) -> Remembered | None:
        row = await first(self._statements, _FIND, {"scope": scope, "key": key.key, "cutoff": now - REMEMBERED_FOR})
        return None if row is None else Remembered(row[0], row[1], row[2])

    async def add(
        self, scope: str, key: IdempotencyKey, subject_id: str, *, now: datetime, answer: bytes | None = None
    ) -> None:
        """Also forgets a few that have expired, so that they don't pile up."""
        cutoff = now - REMEMBERED_FOR
        await self._statements.change(_FORGET, {"cutoff": cutoff})
        added = await self._statements.change(
            _ADD[self._statements.dialect],
            {
                "scope": scope,
                "key": key.key,
                "fingerprint": key.fingerprint,
                "subject_id": subject_id,
                "made_at": now,
                "answer": answer,
                "cutoff": cutoff,
            },
        )
        if added == 0:
            raise StaleVersion("request", key.key)
