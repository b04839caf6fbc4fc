"""Terminals held by the agent itself, through its engine: for engines that no other process can speak to."""

from typing import Final

from spunto.core.executor.effects import bounded
from spunto.core.executor.runtime import ContainerRuntime, EngineRefused, Exec, ExecSpec
from spunto.core.executor.terminals.port import Shell, Wish
from spunto.core.executor.terminals.sessions import Sessions, StartShell
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.log import Log, silent

OPEN_SECONDS: Final = 15.0
MEMORY_BYTES: Final = 64 * 1024 * 1024
_SHELLS = (("bash", "-l"), ("sh",))
_ENV = {"TERM": "xterm-256color"}


def sessions_by(runtime: ContainerRuntime, *, clock: Clock, log: Log = silent, lost: tuple[str, ...] = ()) -> Sessions:
    """Shells that end with this process."""
    return Sessions(shells_by(runtime), clock=clock, memory_bytes=MEMORY_BYTES, log=log, lost=lost)


def shells_by(runtime: ContainerRuntime) -> StartShell:
    async def start(_: str, wish: Wish) -> Shell:
        async with bounded(OPEN_SECONDS):
            return _OfExec(await _begun(runtime, wish))

    return start


async def _begun(runtime: ContainerRuntime, wish: Wish) -> Exec:
    cols, rows = wish.size.cols, wish.size.rows
    *preferred, last = (ExecSpec(command=each, env=_ENV, tty=True, cols=cols, rows=rows) for each in _SHELLS)
    for spec in preferred:
        try:
            return await runtime.exec(wish.container, spec)
        except EngineRefused:
            continue
    return await runtime.exec(wish.container, last)


class _OfExec:
    """A `Shell` by an `Exec`."""

    def __init__(self, running: Exec) -> None:
        self._running = running

    async def read(self) -> bytes | None:
        output = await self._running.read()
        return None if output is None else output[1]

    async def write(self, data: bytes) -> None:
        await self._running.write(data)

    async def resize(self, *, cols: int, rows: int) -> None:
        await self._running.resize(cols=cols, rows=rows)

    async def exit_code(self) -> int:
        return await self._running.exit_code()

    async def aclose(self) -> None:
        await self._running.aclose()
