"""Repeated POSTs: the same key and body give the same thing and no second effect."""

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


class Once:
    """One request inside a transaction, which a repeat with the same key does not do again. Without a key there is
    nothing to remember, and every request is the first."""

    def __init__(
        self, requests: IdempotencyRepository, scope: str, key: IdempotencyKey | None, *, now: datetime
    ) -> None:
        self._requests = requests
        self._scope = scope
        self._key = key
        self._now = now

    async def made(self) -> str | None:
        """The id of what an earlier request with this key made.

        Raises Invalid `idempotency_key_reused` where that one asked for something else.
        """
        seen = None if self._key is None else await self._requests.find(self._scope, self._key, now=self._now)
        if self._key is None or seen is None:
            return None
        subject_id, fingerprint = seen
        if fingerprint != self._key.fingerprint:
            raise Invalid("idempotency_key_reused", "This Idempotency-Key was used with another body; take a new one.")
        return subject_id

    async def makes(self, subject_id: str) -> None:
        """Remember what this request made. Raises StaleVersion where another request was faster."""
        if self._key is not None:
            await self._requests.add(self._scope, self._key, subject_id, now=self._now)
