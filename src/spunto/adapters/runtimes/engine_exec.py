"""A command under way in a container, over the upgraded connection of the Docker-compatible API."""

import asyncio
import secrets
from collections import deque
from contextlib import suppress
from typing import Any, Literal

import aiodocker
import aiohttp
from aiodocker.stream import Message, Stream
from yarl import URL

from spunto.adapters.runtimes import hanging_up, host_processes
from spunto.adapters.runtimes.engine_socket import EngineSocket, Refusal, Timeouts, engine_answers
from spunto.adapters.runtimes.exec_state import ExecState, code_of_unstarted
from spunto.adapters.runtimes.translate import exec_body
from spunto.core.executor.runtime import CommandNotStarted, ContainerGone, ExecSpec
from spunto.core.kernel.errors import SpuntoError

MAX_READ_BYTES = 64 * 1024
# How long the output of a command that is over may still be on its way; only one who left something running behind
# makes anybody wait for that.
LAST_WORDS_SECONDS = 1.0
_END_OF_TRANSMISSION = b"\x04"
_STREAMS: dict[int, Literal["stdout", "stderr"]] = {1: "stdout", 2: "stderr"}


class _ExecStream(Stream):
    """aiodocker's upgraded stream, which has no half-close of its own."""

    def __init__(self, client: aiodocker.Docker, exec_id: str, *, tty: bool) -> None:
        async def setup() -> tuple[URL, bytes, bool]:
            body = b'{"Detach": false, "Tty": %s}' % (b"true" if tty else b"false")
            return URL(f"exec/{exec_id}/start"), body, tty

        super().__init__(client, setup, aiohttp.ClientTimeout())

    def write_eof(self) -> None:
        connection = self._resp and self._resp.connection
        if connection and connection.transport and not connection.transport.is_closing():
            connection.transport.write_eof()


class EngineExec:
    """`Exec` on Docker and Podman. Owns its connection and the task that reads ahead during the start."""

    def __init__(
        self, socket: EngineSocket, timeouts: Timeouts, state: ExecState, *, container: str, spec: ExecSpec
    ) -> None:
        self._socket = socket
        self._timeouts = timeouts
        self._state = state
        self._container = container
        self._spec = spec
        self._mark = secrets.token_hex(8)
        self._ahead: asyncio.Task[Message | None] | None = None
        self._said: deque[Message] = deque()
        self._ended = self._at_eof = self._closed = self._is_over = False

    async def start(self) -> None:
        """Create and start the command. Raises Refusal where it can't be made, CommandNotStarted."""
        marks = {hanging_up.MARK: self._mark} if self._spec.tty else {}
        body = exec_body(self._spec, marks=marks)
        created = await self._socket.call("POST", f"containers/{self._container}/exec", body=body)
        self._exec_id: str = created["Id"]
        self._stream = _ExecStream(self._socket.client, self._exec_id, tty=self._spec.tty)
        try:
            with engine_answers():
                async with asyncio.timeout(self._timeouts.start_seconds):
                    await self._stream.__aenter__()
                    await self._require_started()
        except BaseException:
            await self.aclose()
            raise

    async def read(self) -> tuple[Literal["stdout", "stderr"], bytes] | None:
        message = self._said.popleft() if self._said else await self._message()
        if message is None:
            return None
        if len(message.data) > MAX_READ_BYTES:
            self._said.appendleft(Message(message.stream, message.data[MAX_READ_BYTES:]))
        return _STREAMS[message.stream], message.data[:MAX_READ_BYTES]

    async def write(self, data: bytes) -> None:
        if self._ended or self._closed:
            return
        # A command that has ended takes its end of the connection along: nobody is left to read this.
        with suppress(OSError, aiohttp.ClientError, AssertionError):
            await self._stream.write_in(data)

    async def write_eof(self) -> None:
        if self._closed or self._at_eof:
            return
        self._at_eof = True
        if self._spec.tty:
            # Half-closing would make Docker close the terminal, and what it still had to say would be lost.
            await self.write(_END_OF_TRANSMISSION)
        else:
            with suppress(OSError):
                self._stream.write_eof()

    async def resize(self, *, cols: int, rows: int) -> None:
        with suppress(Refusal):
            await self._resize(cols=cols, rows=rows)

    async def exit_code(self) -> int:
        pause_seconds = 0.005
        while not self._state.is_over(inspected := await self._inspect()):
            # Engines answer nobody who waits for an exec: all that is left is to ask again, less and less often.
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 1.5, 1.0)
        return int(inspected["ExitCode"])

    async def kill_tree(self) -> None:
        inspected = await self._inspect()
        if self._state.is_over(inspected) or not inspected["Pid"]:
            return
        container = await self._socket.call("GET", f"containers/{self._container}/json")
        await asyncio.to_thread(host_processes.kill_tree, inspected["Pid"], first=container["State"]["Pid"])

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._ahead is not None and not self._ahead.done():
            self._ahead.cancel()
            await asyncio.wait({self._ahead})
        await self._stream.close()
        if self._spec.tty and not self._ended:
            # The engine or the container being gone ends the terminal as well.
            with suppress(SpuntoError):
                await self._hang_up()

    async def _require_started(self) -> None:
        """Wait until the command runs (the engine lets nobody resize it earlier) or has said something or ended."""
        self._ahead = asyncio.create_task(self._stream.read_out(), name=f"exec-read-{self._exec_id[:12]}")
        size = self._resize(cols=self._spec.cols, rows=self._spec.rows)
        resized = asyncio.create_task(size, name=f"exec-size-{self._exec_id[:12]}")
        try:
            await asyncio.wait({self._ahead, resized}, return_when=asyncio.FIRST_COMPLETED)
            if not resized.done() and not self._state.is_over(await self._inspect()):
                # It spoke before it knew its size, which the engine tells it all the same.
                await asyncio.wait({resized})
            if resized.done() and resized.exception() is None:
                return
        finally:
            resized.cancel()
            await asyncio.wait({resized})
        inspected = await self._inspect()
        if not self._state.is_over(inspected) or inspected["ExitCode"] not in (125, 126, 127):
            return
        while (message := await self._message()) is not None:
            self._said.append(message)
        words = b"".join(message.data for message in self._said).decode("utf-8", "replace")
        if self._state.never_ran(inspected, words):
            raise CommandNotStarted(words.strip(), exit_code=code_of_unstarted(words))

    async def _message(self) -> Message | None:
        """The next from the connection; None at its end. May be cancelled without losing one."""
        if self._ended:
            return None
        if self._ahead is None:
            self._ahead = asyncio.create_task(self._stream.read_out(), name=f"exec-read-{self._exec_id[:12]}")
        with engine_answers():
            if not await self._has_said_something(self._ahead):
                self._ended = True
                return None
            message, self._ahead = self._ahead.result(), None
        self._ended = message is None
        return message

    async def _has_said_something(self, ahead: asyncio.Task[Message | None]) -> bool:
        """Wait for output or its end; false where neither comes although the command is over.

        Docker ends nothing as long as input is left that the command has not read, or a process of its own holds on to
        its output.
        """
        pause_seconds = 0.05
        while True:
            silence_seconds = LAST_WORDS_SECONDS if self._is_over else pause_seconds
            await asyncio.wait({ahead}, timeout=None if self._spec.tty else silence_seconds)
            if ahead.done() or self._is_over:
                return ahead.done()
            self._is_over = self._state.is_over(await self._inspect())
            pause_seconds = min(pause_seconds * 1.5, 1.0)

    async def _resize(self, *, cols: int, rows: int) -> None:
        await self._socket.call("POST", f"exec/{self._exec_id}/resize", params={"h": str(rows), "w": str(cols)})

    async def _inspect(self) -> dict[str, Any]:
        try:
            inspected: dict[str, Any] = await self._socket.call("GET", f"exec/{self._exec_id}/json")
        except Refusal as refusal:  # engines forget the commands of a container together with its run
            raise ContainerGone(self._container) from refusal
        return inspected

    async def _hang_up(self) -> None:
        spec = ExecSpec(command=hanging_up.command(self._mark), user=self._spec.user)
        body = exec_body(spec, marks={})
        created = await self._socket.call("POST", f"containers/{self._container}/exec", body=body)
        request = {"Detach": False, "Tty": False}
        async with (
            asyncio.timeout(self._timeouts.start_seconds),
            self._socket.stream("POST", f"exec/{created['Id']}/start", body=request) as content,
        ):
            await content.read()
