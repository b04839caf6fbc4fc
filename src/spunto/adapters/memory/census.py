"""The census in memory."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from spunto.adapters.memory.queue import MemoryQueue
from spunto.core.nodes.model import Node
from spunto.core.workers.census import Backlog, Census
from spunto.core.workers.model import Worker


class MemoryCensus:
    def __init__(
        self, nodes: Callable[[], Iterable[Node]], workers: Callable[[], Iterable[Worker]], queue: MemoryQueue
    ) -> None:
        self._nodes = nodes
        self._workers = workers
        self._queue = queue

    async def take(self, *, now: datetime) -> Census:
        due: dict[str, list[datetime]] = {}
        for kind, due_at in self._queue.due(now):
            due.setdefault(kind, []).append(due_at)
        return Census(
            nodes=Counter(node.status for node in self._nodes()),
            workers=Counter(worker.state for worker in self._workers()),
            backlogs={kind: Backlog(depth=len(times), oldest_due_at=min(times)) for kind, times in due.items()},
        )
