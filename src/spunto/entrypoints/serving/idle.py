"""Connections on which nothing is under way: they end after a while, and soon when the server stops.

Hypercorn has a task wait for that, and so begins and cancels two of them at every request.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import EventWrapper, WorkerContext


class Idler(Protocol):
    """A connection that may be idle for `idle_seconds`, and for `grace_seconds` once the server stops."""

    @property
    def idle_seconds(self) -> float: ...

    @property
    def grace_seconds(self) -> float: ...

    async def end(self) -> None: ...


class Ending(EventWrapper):
    """Set when the server stops; what is idle then hears of it."""

    def __init__(self) -> None:
        super().__init__()
        self.idle: set[IdleTimer] = set()

    async def set(self) -> None:
        await super().set()
        for timer in self.idle:
            timer.hurry()


class Context(WorkerContext):
    """Of the listeners of one `serve`."""

    def __init__(self, max_requests: int | None) -> None:
        super().__init__(max_requests)
        self.terminated: Ending = Ending()


class IdleTimer:
    """Stands in for the task of Hypercorn's that it calls `idle_task`."""

    def __init__(self, connection: Idler, ending: Ending) -> None:
        self._connection = connection
        self._ending = ending
        self._group: TaskGroup
        self._timer: asyncio.TimerHandle | None = None

    async def restart(self, group: TaskGroup, _: Callable[..., Any]) -> None:
        await self.stop()
        self._group = group
        self._ending.idle.add(self)
        self._begin(self._connection.grace_seconds if self._ending.is_set() else self._connection.idle_seconds)

    async def stop(self) -> None:
        self._ending.idle.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def hurry(self) -> None:
        """Who had less time left than that had sent nothing for a minute."""
        if self._timer is not None:
            self._timer.cancel()
            self._begin(self._connection.grace_seconds)

    def _begin(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def _end(self) -> None:
        self._timer = None
        self._ending.idle.discard(self)
        self._group.spawn(self._connection.end)
