"""Writes each worker's setup status into its container, when the node has nothing more urgent to do."""

from collections.abc import Callable

import orjson

from spunto.core.executor.effects import bounded
from spunto.core.executor.kinds.setup import STATUS_PATH, Status
from spunto.core.executor.runtime import ContainerRuntime
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError
from spunto.core.kernel.wakeups import Wakeup
from spunto.core.specs.names import container_name

_BUSY_SECONDS = 0.2
_PATIENCE_ROUNDS = 25
_IDLE_SECONDS = 3600.0


class StatusFiles:
    """Holds the newest status a worker, so a burst of changes is one write; one write at a time.

    A write takes the engine as long as a part of a spawn, so it gives way to spawns, but not for ever.
    """

    def __init__(self, runtime: ContainerRuntime, *, clock: Clock, seconds: float, is_busy: Callable[[], bool]) -> None:
        self._runtime = runtime
        self._clock = clock
        self._seconds = seconds
        self._is_busy = is_busy
        self._waiting: dict[str, Status] = {}
        self._written: dict[str, Status] = {}
        self._wakeup = Wakeup(clock)

    def put(self, subject_id: str, status: Status) -> None:
        if self._written.get(subject_id) is not status:
            self._written[subject_id] = self._waiting[subject_id] = status
            self._wakeup.hint()

    def drop(self, subject_id: str) -> None:
        self._waiting.pop(subject_id, None)
        self._written.pop(subject_id, None)

    async def run(self) -> None:
        while True:
            await self._wakeup.wait(max_seconds=_IDLE_SECONDS)
            while self._waiting:
                await self._wait_for_quiet()
                await self._write_next()

    async def _wait_for_quiet(self) -> None:
        for _ in range(_PATIENCE_ROUNDS):
            if not self._is_busy():
                return
            await self._clock.sleep(_BUSY_SECONDS)

    async def _write_next(self) -> None:
        if not self._waiting:
            return
        subject_id = next(iter(self._waiting))
        status = self._waiting.pop(subject_id)
        try:
            async with bounded(self._seconds):
                await self._runtime.put_file(container_name(subject_id), STATUS_PATH, orjson.dumps(status))
        except SpuntoError:
            return  # The container or the engine has gone; the file shows the next change, the server has the status.
