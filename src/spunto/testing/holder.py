"""What holds the terminals of a simulated node: it outlives the agent, and can die by itself."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from spunto.core.executor.runtime import ContainerRuntime
from spunto.core.executor.terminals.in_agent import sessions_by
from spunto.core.executor.terminals.port import Ended, SessionLost, SessionView, Sight, Size, Viewing, Wish
from spunto.core.executor.terminals.sessions import Sessions
from spunto.core.kernel.clock import Clock

Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
"""Runs a task for as long as the harness lives."""


class SimulatedHolder:
    """A `TerminalHolder` that can be another one from one moment to the next."""

    def __init__(self, runtime: ContainerRuntime, *, clock: Clock, spawn: Spawn, name: str) -> None:
        self._runtime = runtime
        self._clock = clock
        self._spawn = spawn
        self._name = name
        self._lost: list[str] = []
        self._died = asyncio.Event()
        self._begin()

    async def run(self) -> None:
        """Its work is the node's."""

    async def enter(self, wish: Wish) -> Viewing:
        return _Seen(await self._sessions.enter(wish), self._died)

    async def list(self, container: str) -> Sequence[SessionView]:
        return await self._sessions.list(container)

    async def end(self, container: str, session: str) -> None:
        await self._sessions.end(container, session)

    async def die(self) -> None:
        """Its shells are hung up, and whoever looks at them is told."""
        self._lost += self._sessions.ids
        self._died.set()
        self._died = asyncio.Event()
        await self._sessions.aclose()
        self._running.cancel()
        self._begin()
        # The new one takes its first step before it is asked.
        await asyncio.sleep(0)

    def close(self) -> None:
        self._running.cancel()

    def _begin(self) -> None:
        self._sessions: Sessions = sessions_by(self._runtime, clock=self._clock, lost=tuple(self._lost))
        self._running = self._spawn(self._sessions.run(), f"holder of {self._name}")


class _Seen:
    """A look that ends with the process that it is at."""

    def __init__(self, viewing: Viewing, died: asyncio.Event) -> None:
        self.session = viewing.session
        self.offset = viewing.offset
        self._viewing = viewing
        self._died = died

    async def next(self) -> Sight:
        if self._died.is_set():
            raise SessionLost(self.session)
        sight = await self._viewing.next()
        if self._died.is_set() and isinstance(sight, Ended):
            raise SessionLost(self.session)
        self.offset = self._viewing.offset
        return sight

    async def write(self, data: bytes) -> None:
        await self._viewing.write(data)

    async def resize(self, size: Size, *, takes: bool) -> None:
        await self._viewing.resize(size, takes=takes)

    async def aclose(self) -> None:
        await self._viewing.aclose()
