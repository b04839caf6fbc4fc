"""Keeps an eye on the engine: lists what is there every half minute, follows events, notices its going and coming."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from spunto.core.executor.effects import bounded
from spunto.core.executor.runtime import Container, ContainerRuntime, EngineEvent, EngineInfo, EngineUnavailable
from spunto.core.executor.settings import NodeSettings
from spunto.core.executor.trouble import BACK_OFF
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError
from spunto.core.kernel.log import Log
from spunto.core.kernel.problem import Problem
from spunto.core.kernel.wakeups import Wakeup
from spunto.core.specs.names import NODE_LABEL

_MIDDLE = 0.5


class EngineWatch:
    """`problem` while the engine does not answer; `info` as it last described itself.

    `listed` is called with every list, and `came_back` before the first one after an absence (or the start).
    """

    def __init__(
        self,
        runtime: ContainerRuntime,
        *,
        clock: Clock,
        settings: NodeSettings,
        log: Log,
        came_back: Callable[[], Awaitable[None]],
        listed: Callable[[Sequence[Container]], None],
        lost: Callable[[], None],
        heard: Callable[[EngineEvent], None],
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._settings = settings
        self._log = log
        self._came_back = came_back
        self._listed = listed
        self._lost = lost
        self._heard = heard
        self._label = f"{NODE_LABEL}={settings.node_id}"
        self._relist = Wakeup(clock)
        self._is_back = asyncio.Event()
        self.has_answered = asyncio.Event()
        self.info: EngineInfo | None = None
        self.problem: Problem | None = Problem(code="engine_unavailable", message="The engine has not answered yet.")

    def look_again(self) -> None:
        """List now instead of at the next half minute."""
        self._relist.hint()

    async def list_now(self) -> None:
        """List at once, for who wants to know what is there now; that the engine does not answer is then known."""
        try:
            await self.list_once()
        except Exception as error:  # noqa: BLE001 - the edge of the loop: shown as the engine's problem
            self._note_loss(error)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="engine events")
            failures = 0
            while True:
                await self.list_now()
                failures = 0 if self.problem is None else failures + 1
                if failures:
                    await self._relist.wait(max_seconds=_pause(failures))
                else:
                    await self._relist.wait(poll_seconds=self._settings.relist_seconds)

    async def list_once(self) -> None:
        async with bounded(self._settings.engine_seconds):
            if self.problem is not None:
                self.info = await self._runtime.info()
                await self._came_back()
            containers = await self._runtime.list_containers(label=self._label)
        if self.problem is not None:
            self._log("engine_found", engine=self._settings.engine if self.info is None else self.info.engine)
        self.problem = None
        self._is_back.set()
        self.has_answered.set()
        self._listed(containers)

    def _note_loss(self, error: Exception) -> None:
        message = error.message if isinstance(error, SpuntoError) else f"{type(error).__name__}: {error}"
        known, self.problem = self.problem, Problem(code="engine_unavailable", message=message[:4000])
        self._is_back.clear()
        if known != self.problem:
            self._log("engine_lost", engine=self._settings.engine, error=message)
            self._lost()

    async def _follow(self) -> None:
        failures = 0
        while True:
            await self._is_back.wait()
            try:
                async with aclosing(self._runtime.events(label=self._label)) as events:
                    async for event in events:
                        failures = 0
                        self._heard(event)
            except EngineUnavailable as error:
                self._log("engine_events_ended", error=error.message)
            failures += 1
            # What happened while nobody listened shows in a list.
            self.look_again()
            await self._clock.sleep(_pause(failures))


def _pause(failures: int) -> float:
    return BACK_OFF.seconds(failures, jitter=_MIDDLE)
