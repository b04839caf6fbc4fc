"""Repeated POSTs: the same key and body give the same thing and no second effect."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from spunto.core.kernel.errors import Conflict, Invalid

REMEMBERED_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """What the caller named its request, and a digest of what it asked for.

    `answer_of` writes what the use case gives as the caller is told it, to be told again word by word.
    """

    key: str
    fingerprint: bytes
    answer_of: Callable[[Any], bytes] | None = field(default=None, compare=False, repr=False)


class Remembered(NamedTuple):
    """What an earlier request made, and how it was answered, if that is kept."""

    subject_id: str
    fingerprint: bytes
    answer: bytes | None


class AnsweredBefore(Exception):
    """Ends a use case that an earlier request with the same key has done; the door gives the first answer again."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("This request was answered before.")
        self.answer = answer


class IdempotencyRepository(Protocol):
    async def find(self, scope: str, key: IdempotencyKey, *, now: datetime) -> Remembered | None:
        """What is remembered under the key within its 24 hours."""

    async def add(
        self, scope: str, key: IdempotencyKey, subject_id: str, *, now: datetime, answer: bytes | None = None
    ) -> None:
        """Remember what the request made, and its answer. Raises StaleVersion where another request was faster."""


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
        """The id of what an earlier request with this key made, where its answer is not kept.

        Raises AnsweredBefore where it is, and Invalid `idempotency_key_reused` where that one asked for something else.
        """
        seen = None if self._key is None else await self._requests.find(self._scope, self._key, now=self._now)
        if self._key is None or seen is None:
            return None
        if seen.fingerprint != self._key.fingerprint:
            raise Invalid("idempotency_key_reused", "This Idempotency-Key was used with another body; take a new one.")
        if seen.answer is not None:
            raise AnsweredBefore(seen.answer)
        return seen.subject_id

    async def require_first(self) -> None:
        """Raises Conflict `token_not_repeatable` for a repeat: what was shown once is kept nowhere."""
        made = await self.made()
        if made is not None:
            raise Conflict(
                "token_not_repeatable",
                "This request was answered before, with what is shown only once; make another one, or rotate it.",
                id=made,
            )

    async def makes(self, subject_id: str, result: Any = None) -> None:
        """Remember what this request made, and the answer that the result becomes.

        Raises StaleVersion where another request was faster.
        """
        if self._key is not None:
            answer = None if result is None or self._key.answer_of is None else self._key.answer_of(result)
            await self._requests.add(self._scope, self._key, subject_id, now=self._now, answer=answer)
