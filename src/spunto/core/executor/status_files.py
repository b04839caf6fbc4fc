"""Writes what containers should hold into them, such as a setup's status, when the node has nothing more urgent."""

from collections.abc import Callable

import orjson

from spunto.core.executor.effects import bounded
from spunto.core.executor.kinds.kind import File
from spunto.core.executor.runtime import ContainerRuntime
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError
from spunto.core.kernel.wakeups import Wakeup

_BUSY_SECONDS = 0.2
_PATIENCE_ROUNDS = 25


class StatusFiles:
    """Holds the newest file a subject, so a burst of changes is one write; one write at a time.

    A write takes the engine as long as a part of a spawn, so it gives way to spawns, but not for ever.
    """

    def __init__(self, runtime: ContainerRuntime, *, clock: Clock, seconds: float, is_busy: Callable[[], bool]) -> None:
        self._runtime = runtime
        self._clock = clock
        self._seconds = seconds
        self._is_busy = is_busy
        self._waiting: dict[str, File] = {}
        self._written: dict[str, File] = {}
        self._wakeup = Wakeup(clock)

    def put(self, subject_id: str, file: File) -> None:
        if self._written.get(subject_id) != file:
            self._written[subject_id] = self._waiting[subject_id] = file
            self._wakeup.hint()

    def drop(self, subject_id: str) -> None:
        self._waiting.pop(subject_id, None)
        self._written.pop(subject_id, None)

    async def run(self) -> None:
        while True:
            await self._wakeup.wait()
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
        file = self._waiting.pop(subject_id)
        try:
            async with bounded(self._seconds):
                await self._runtime.put_file(file.container, file.path, orjson.dumps(file.content))
        except SpuntoError:
            return  # The container or the engine has gone; the file shows the next change, the server has the status.
