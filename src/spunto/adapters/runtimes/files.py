"""Files of containers: a helper process enters the container's file system as its user, and serves one request.

What was weighed: the engines' archive calls work as root whoever asks, so that they would write where the worker's own
user may not; commands in the container need tools that an image may not have. A process of ours that becomes the
container's user first has that user's rights, limits and quotas, by the kernel's own word, and needs nothing there.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

import spunto
from spunto.adapters.runtimes.engine_socket import EngineSocket, Refusal
from spunto.adapters.runtimes.files_inside import wire
from spunto.adapters.runtimes.namespaces import is_of
from spunto.core.executor.file_work import FileRefused, FilesOutOfReach
from spunto.core.executor.runtime import ContainerGone, ContainerNotRunning, ContainerPaused
from spunto.core.specs.files import FileRequest

_PACKAGES: Final = str(Path(spunto.__file__).parents[1])
_START: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); from spunto.adapters.runtimes.files_inside.main import main; main()"
)
_END_SECONDS: Final = 5.0


class Files:
    def __init__(self, engine: EngineSocket) -> None:
        self._engine = engine

    async def begin(self, name: str, asked: FileRequest) -> "HelperWork":
        """Raises ContainerGone, ContainerNotRunning, ContainerPaused, FilesOutOfReach, EngineUnavailable."""
        inspected = await self._inspect(name)
        with _first_process(inspected["State"]["Pid"], inspected["Id"]) as first:
            return await HelperWork.start(first, asked)

    async def _inspect(self, name: str) -> Mapping[str, Any]:
        try:
            inspected: Mapping[str, Any] = await self._engine.call("GET", f"containers/{name}/json")
        except Refusal as refusal:
            if refusal.status == 404:
                raise ContainerGone(name) from refusal
            raise
        if inspected["State"].get("Paused"):
            raise ContainerPaused(name)
        if not inspected["State"].get("Running") or not inspected["State"].get("Pid"):
            raise ContainerNotRunning(name)
        return inspected


class HelperWork:
    """`FileWork` of a helper process, which it owns. It ends with the container, whose disk it would keep busy."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        life: int,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._life: int | None = os.dup(life)
        self._is_over = False
        asyncio.get_running_loop().add_reader(self._life, self._end)

    @classmethod
    async def start(cls, first: "_First", asked: FileRequest) -> "HelperWork":
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", "-X", "utf8", "-c", _START, _PACKAGES, str(first.directory)),
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    pass_fds=(first.directory,),
                    env={},
                    cwd="/",
                )
            reader, writer = await asyncio.open_connection(sock=ours, limit=2 * wire.MAX_DATA_BYTES)
        except BaseException:
            ours.close()
            raise
        work = cls(process, reader, writer, life=first.life)
        writer.write(wire.word(asked.to_wire()))
        return work

    async def next(self) -> bytes | dict[str, Any] | None:
        if self._is_over:
            return None
        try:
            kind, size = wire.HEAD.unpack(await self._reader.readexactly(wire.HEAD.size))
            body = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as error:
            self._is_over = True
            raise FilesOutOfReach("the helper that was to do it has ended") from error
        if kind == wire.DATA:
            return body
        if kind == wire.END:
            self._is_over = True
            return None
        said: dict[str, Any] = orjson.loads(body)
        if "fault" in said:
            self._is_over = True
            raise _refusal(said)
        return said

    async def write(self, data: bytes) -> None:
        with memoryview(data) as left:
            for begin in range(0, len(left), wire.MAX_DATA_BYTES):
                piece = left[begin : begin + wire.MAX_DATA_BYTES]
                await self._send(wire.data_head(len(piece)), bytes(piece))

    async def write_end(self) -> None:
        await self._send(wire.END_FRAME)

    async def aclose(self) -> None:
        self._is_over = True
        self._writer.close()
        if self._process.returncode is None:
            # With its socket gone it tidies up and ends; only one that can't is killed.
            try:
                async with asyncio.timeout(_END_SECONDS):
                    await self._process.wait()
            except BaseException as error:
                self._end()
                if not isinstance(error, TimeoutError):
                    raise
        self._forget_life()

    def _end(self) -> None:
        self._forget_life()
        with suppress(ProcessLookupError):
            self._process.kill()

    def _forget_life(self) -> None:
        if self._life is not None:
            asyncio.get_running_loop().remove_reader(self._life)
            os.close(self._life)
            self._life = None

    async def _send(self, *pieces: bytes) -> None:
        # One that has ended told why, and that is still to be read.
        with suppress(OSError):
            for piece in pieces:
                self._writer.write(piece)
            await self._writer.drain()


@dataclass(frozen=True, slots=True, kw_only=True)
class _First:
    """A container's first process: its directory in /proc, and what becomes readable at its end."""

    directory: int
    life: int


@contextmanager
def _first_process(pid: int, container_id: str) -> Iterator[_First]:
    """Raises FilesOutOfReach where the engine counts other processes than are seen here."""
    with ExitStack() as stack:
        try:
            life = os.pidfd_open(pid)
            stack.callback(os.close, life)
            # It stays the directory of this process, also when its number is another's.
            directory = os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, directory)
            is_of_container = is_of(Path(f"/proc/self/fd/{directory}"), container_id)
        except OSError as error:
            raise FilesOutOfReach(str(error)) from error
        if not is_of_container:
            raise FilesOutOfReach("another process has that number here")
        yield _First(directory=directory, life=life)


def _refusal(said: Mapping[str, Any]) -> FileRefused | FilesOutOfReach:
    if said["fault"] == "files_out_of_reach":
        return FilesOutOfReach(str(said.get("words")))
    return FileRefused(said["fault"], str(said.get("words", "")), path=said.get("path", ""))
