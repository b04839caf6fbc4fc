"""A store in memory that a test can break, and that outlives the server that works on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from spunto.adapters.memory.queue import MemoryQueue
from spunto.adapters.memory.store import MemoryStore, MemoryTransaction
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.reconcile import Claim
from spunto.core.kernel.wakeups import Wakeups


class BreakableStore:
    """While it is broken nothing is read and nothing committed, as when a database is away."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._store = MemoryStore(wakeups)
        self._is_broken = False
        self.queue = _BreakableQueue(self._store.queue, self.require_whole)

    def reopened(self, wakeups: Wakeups) -> "BreakableStore":
        """The same rows for the next server, whose wake-ups get the hints from now on."""
        self._store = self._store.reopened(wakeups)
        return self

    def break_down(self) -> None:
        self._is_broken = True

    def mend(self) -> None:
        self._is_broken = False

    def keep_leases(self, seconds: float) -> None:
        """Leases last that much longer, as if they had been renewed."""
        self._store.keep_leases(seconds)

    def require_whole(self) -> None:
        """Raises Unavailable `database_unavailable`."""
        if self._is_broken:
            raise Unavailable("database_unavailable", "The database does not answer.", retry_after_seconds=1)

    def __call__(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._transaction(self._store())

    def reading(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._transaction(self._store.reading())

    async def require_writable(self) -> None:
        self.require_whole()

    @asynccontextmanager
    async def _transaction(
        self, opening: AbstractAsyncContextManager[MemoryTransaction]
    ) -> AsyncIterator[MemoryTransaction]:
        self.require_whole()
        async with opening as tx:
            tx.guard(self.require_whole)
            yield tx


class _BreakableQueue:
    def __init__(self, queue: MemoryQueue, require_whole: Callable[[], None]) -> None:
        self._queue = queue
        self._require_whole = require_whole

    async def claim(self, kind: str, *, now: datetime, limit: int, for_seconds: float) -> list[Claim]:
        self._require_whole()
        return await self._queue.claim(kind, now=now, limit=limit, for_seconds=for_seconds)

    async def finish(self, claim: Claim, *, look_again_at: datetime | None, error_code: str | None = None) -> None:
        self._require_whole()
        await self._queue.finish(claim, look_again_at=look_again_at, error_code=error_code)

    async def next_due_at(self, kind: str) -> datetime | None:
        self._require_whole()
        return await self._queue.next_due_at(kind)
