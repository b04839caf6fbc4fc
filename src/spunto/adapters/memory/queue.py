"""The work queue in memory."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.reconcile import Claim, topic


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """`due_at` of a claimed entry is the end of its lease; `again_at` is what was asked for during the claim."""

    due_at: datetime
    token: str | None = None
    again_at: datetime | None = None
    attempts: int = 0


class MemoryQueue:
    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._tokens = itertools.count(1)

    def add(self, kind: str, subject_id: str, *, at: datetime) -> None:
        entry = self._entries.get((kind, subject_id), _Entry(due_at=at))
        if entry.token is None:
            entry = replace(entry, due_at=min(at, entry.due_at))
        else:
            entry = replace(entry, again_at=_earliest(at, entry.again_at))
        self._entries[kind, subject_id] = entry

    def due(self, now: datetime) -> list[tuple[str, datetime]]:
        """Kind and time of every entry that may be claimed."""
        return [(key[0], entry.due_at) for key, entry in self._entries.items() if entry.due_at <= now]

    async def claim(self, kind: str, *, now: datetime, limit: int, for_seconds: float) -> list[Claim]:
        due = [(key, entry) for key, entry in self._entries.items() if key[0] == kind and entry.due_at <= now]
        claims = []
        for key, entry in sorted(due, key=lambda item: (item[1].due_at, item[0]))[:limit]:
            token = str(next(self._tokens))
            leased = replace(entry, due_at=now + timedelta(seconds=for_seconds), token=token, again_at=None)
            self._entries[key] = leased
            claims.append(Claim(kind=kind, subject_id=key[1], token=token, attempts=entry.attempts))
        return claims

    async def finish(self, claim: Claim, *, look_again_at: datetime | None, error_code: str | None = None) -> None:
        key = (claim.kind, claim.subject_id)
        entry = self._entries.get(key)
        if entry is None or entry.token != claim.token:
            raise Conflict("lease_lost", "Somebody else has taken this over.", id=claim.subject_id)
        due_at = _earliest(look_again_at, entry.again_at)
        if due_at is None:
            del self._entries[key]
            return
        self._entries[key] = _Entry(due_at=due_at, attempts=entry.attempts + 1 if error_code else 0)

    async def next_due_at(self, kind: str) -> datetime | None:
        unclaimed = (entry for key, entry in self._entries.items() if key[0] == kind and entry.token is None)
        return min((entry.due_at for entry in unclaimed), default=None)


class MemorySchedule:
    """What a transaction wants looked at; the store puts it into the queue at the commit."""

    def __init__(self, hint: Callable[[str], None]) -> None:
        self.added: list[tuple[str, str, datetime]] = []
        self._hint = hint

    async def add(self, kind: str, subject_id: str, *, at: datetime) -> None:
        self.added.append((kind, subject_id, at))
        self._hint(topic(kind))


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
