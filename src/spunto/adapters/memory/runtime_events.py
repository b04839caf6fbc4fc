"""What the engine in memory announces, and who listens."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from spunto.core.executor.runtime import EngineEvent, EngineUnavailable

MAX_EVENTS_BEHIND = 256

_Announced = tuple[Mapping[str, str], EngineEvent]
_Queue = asyncio.Queue[_Announced | None]


class FakeEvents:
    """Whoever falls too far behind loses the stream, and has to list again."""

    def __init__(self) -> None:
        self._subscribers: set[_Queue] = set()

    def subscribe(self) -> _Queue:
        queue: _Queue = asyncio.Queue(MAX_EVENTS_BEHIND)
        self._subscribers.add(queue)
        return queue

    async def heard(
        self, queue: _Queue, *, label: str, enter: Callable[[], Awaitable[None]]
    ) -> AsyncGenerator[EngineEvent, None]:
        """Those with the label, `key` or `key=value`, once `enter` lets in. Raises EngineUnavailable at the end."""
        try:
            await enter()
            while announced := await queue.get():
                labels, event = announced
                if carries(labels, label):
                    yield event
        finally:
            self._subscribers.discard(queue)
        raise EngineUnavailable("its event stream ended")

    def announce(self, labels: Mapping[str, str], event: EngineEvent) -> None:
        for queue in tuple(self._subscribers):
            if queue.full():
                self._subscribers.discard(queue)
                _cut(queue)
            else:
                queue.put_nowait((labels, event))

    def end(self) -> None:
        for queue in self._subscribers:
            _cut(queue)


def carries(labels: Mapping[str, str], label: str) -> bool:
    key, _, value = label.partition("=")
    return key in labels and (not value or labels[key] == value)


def _cut(queue: _Queue) -> None:
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)
