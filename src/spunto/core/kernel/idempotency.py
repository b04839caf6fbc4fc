"""Repeated POSTs: the same key and body give the same thing and no second effect (contract.md 2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from spunto.core.kernel.errors import Invalid

REMEMBERED_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """What the caller named its request, and a digest of what it asked for."""

    key: str
    fingerprint: bytes


class IdempotencyRepository(Protocol):
    async def find(self, scope: str, key: IdempotencyKey, *, now: datetime) -> tuple[str, bytes] | None:
        """The subject id and fingerprint remembered under the key within its 24 hours."""

    async def add(self, scope: str, key: IdempotencyKey, subject_id: str, *, now: datetime) -> None:
        """Remember what the request made. Raises StaleVersion where another request was faster."""


async def find_made(
    repository: IdempotencyRepository, scope: str, key: IdempotencyKey | None, *, now: datetime
) -> str | None:
    """The id of what an earlier request with this key made. Raises Invalid where that one asked for something else."""
    seen = None if key is None else await repository.find(scope, key, now=now)
    if key is None or seen is None:
        return None
    subject_id, fingerprint = seen
    if fingerprint != key.fingerprint:
        raise Invalid("idempotency_key_reused", "This Idempotency-Key was used with another body; take a new one.")
    return subject_id
