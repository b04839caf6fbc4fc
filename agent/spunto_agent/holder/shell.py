"""A shell in a container, over the upgraded connection of the engine's exec, which this process keeps."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from spunto.adapters.runtimes import exec_state, hanging_up
from spunto.adapters.runtimes.exec_state import ExecState, code_of_unstarted
from spunto.core.executor.runtime import (
    CommandNotStarted,
    ContainerGone,
    ContainerNotRunning,
    ContainerPaused,
    EngineUnavailable,
)
from spunto.core.executor.terminals.port import Size
from spunto.core.kernel.errors import SpuntoError
from spunto_agent.holder.door import Ends, EngineDoor, Refusal

START_SECONDS: Final = 15.0
_READ_BYTES: Final = 64 * 1024
_HANG_UP_SECONDS: Final = 2.0
_EXIT_SECONDS: Final = 5.0
# Whoever attaches waits for it.
_RESIZE_SECONDS: Final = 5.0
# One start for all images: which shell there is, the container itself knows best.
_COMMAND: Final = ("sh", "-c", "command -v bash >/dev/null && exec bash -l; exec sh")
_STATES: Final = {"docker": exec_state.DOCKER, "podman": exec_state.PODMAN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a shell runs: the engine's kind and URL, and its container. `mark` finds its process again."""

    engine: str
    url: str
    container: str
    mark: str


async def begun(place: Place, size: Size) -> "EngineShell":
    """Raises what `ContainerRuntime.exec` does."""
    door = EngineDoor(place.url)
    try:
        async with asyncio.timeout(START_SECONDS):
            return await _begun(door, place, size)
    except Refusal as refusal:
        raise await _meaning(door, place.container, refusal) from refusal
    except TimeoutError as error:
        raise EngineUnavailable(f"no answer within {START_SECONDS:g} s") from error


async def hang_up(place: Place) -> None:
    """End the shell's process from outside; one that is not there, or whose container does not run, has ended.

    Raises EngineUnavailable.
    """
    door = EngineDoor(place.url)
    body = {"Cmd": hanging_up.command(place.mark), "AttachStdout": False, "AttachStderr": False}
    with suppress(Refusal):
        created = await door.call("POST", f"/containers/{quote(place.container)}/exec", body)
        await door.call("POST", f"/exec/{created['Id']}/start", {"Detach": True, "Tty": False})


async def _begun(door: EngineDoor, place: Place, size: Size) -> "EngineShell":
    body = {
        "Cmd": list(_COMMAND),
        "Env": ["TERM=xterm-256color", f"{hanging_up.MARK}={place.mark}"],
        "Tty": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "ConsoleSize": [size.rows, size.cols],
    }
    created = await door.call("POST", f"/containers/{quote(place.container)}/exec", body)
    ends = await door.upgrade(f"/exec/{created['Id']}/start", {"Detach": False, "Tty": True})
    shell = EngineShell(door, ends, place, created["Id"])
    try:
        await shell.require_started(size)
    except BaseException:
        ends[1].close()
        raise
    return shell


async def _meaning(door: EngineDoor, container: str, refusal: Refusal) -> SpuntoError:
    """Why no command can be made in the container."""
    try:
        state = (await door.call("GET", f"/containers/{quote(container)}/json"))["State"]
    except Refusal:
        return ContainerGone(container)
    if state.get("Paused"):
        return ContainerPaused(container)
    if not state.get("Running"):
        return ContainerNotRunning(container)
    return CommandNotStarted(refusal.message, exit_code=exec_state.NOT_EXECUTABLE_CODE)


class EngineShell:
    def __init__(self, door: EngineDoor, ends: Ends, place: Place, exec_id: str) -> None:
        self._door = door
        self._reader, self._writer = ends
        self._place = place
        self._path = f"/exec/{exec_id}"
        self._state: ExecState = _STATES.get(place.engine, exec_state.DOCKER)
        self._said: deque[bytes] = deque()
        self._at_end = asyncio.Event()
        self._has_exited = self._is_closed = False

    async def require_started(self, size: Size) -> None:
        """Wait until the shell runs: the engine lets nobody resize it earlier. Raises CommandNotStarted."""
        ahead = asyncio.create_task(self._reader.read(_READ_BYTES), name="first words")
        resized = asyncio.create_task(self._resized(size), name="first size")
        try:
            await asyncio.wait({ahead, resized}, return_when=asyncio.FIRST_COMPLETED)
            if not resized.done() and not self._state.is_over(await self._inspect()):
                # It spoke before it knew its size, which the engine tells it all the same.
                await asyncio.wait({resized})
            if not resized.done() or resized.exception() is not None:
                await asyncio.wait({ahead})
                await self._require_ran(ahead.result())
        finally:
            resized.cancel()
            if not ahead.done():
                # Nothing has come, so that nothing is lost.
                ahead.cancel()
            await asyncio.wait({ahead, resized})
        if not ahead.cancelled() and ahead.result():
            self._said.append(ahead.result())

    async def read(self) -> bytes | None:
        if self._said:
            return self._said.popleft()
        try:
            data = await self._reader.read(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._at_end.set()
        return data or None

    async def write(self, data: bytes) -> None:
        # A shell that has ended takes its end of the connection along: nobody is left to read this.
        with suppress(OSError):
            if not self._writer.is_closing():
                self._writer.write(data)
                await self._writer.drain()

    async def resize(self, *, cols: int, rows: int) -> None:
        with suppress(Refusal):
            await self._resized(Size(cols=cols, rows=rows))

    async def exit_code(self) -> int:
        pause_seconds = 0.005
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                while not self._state.is_over(inspected := await self._inspect()):
                    # Engines answer nobody who waits for an exec.
                    await asyncio.sleep(pause_seconds)
                    pause_seconds *= 1.5
        except TimeoutError as error:
            raise EngineUnavailable("it does not tell how the shell ended") from error
        self._has_exited = True
        return int(inspected["ExitCode"])

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        # An engine that was restarted beside its containers has cut the connection and forgotten a shell that goes on.
        if not self._has_exited:
            with suppress(SpuntoError):
                await hang_up(self._place)
        if not self._at_end.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_HANG_UP_SECONDS):
                    await self._at_end.wait()
        self._writer.close()

    async def _require_ran(self, words: bytes) -> None:
        inspected = await self._inspect()
        if not self._state.is_over(inspected):
            return
        text = words.decode("utf-8", "replace")
        if inspected["ExitCode"] in (125, 126, 127) and self._state.never_ran(inspected, text):
            raise CommandNotStarted(text.strip(), exit_code=code_of_unstarted(text))

    async def _resized(self, size: Size) -> None:
        path = f"{self._path}/resize?h={size.rows}&w={size.cols}"
        await self._door.call("POST", path, seconds=_RESIZE_SECONDS)

    async def _inspect(self) -> dict[str, Any]:
        try:
            inspected: dict[str, Any] = await self._door.call("GET", f"{self._path}/json")
        except Refusal as refusal:  # engines forget the commands of a container together with its run
            raise ContainerGone(self._place.container) from refusal
        return inspected
