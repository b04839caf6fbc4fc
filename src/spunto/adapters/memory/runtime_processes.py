"""Processes of the fake engine: a container's own and those started in it, each a task with an owner."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from spunto.adapters.memory.runtime_commands import Command, Files, Process, StreamName, Terminal, run
from spunto.adapters.memory.runtime_files import FakeFileWork
from spunto.adapters.memory.runtime_ports import FakePorts
from spunto.core.executor.disk import DiskUse
from spunto.core.executor.runtime import (
    CommandNotStarted,
    Container,
    ContainerSpec,
    ContainerState,
    EngineRefused,
    EngineUnavailable,
    ExecSpec,
    LogChunk,
    Stats,
)
from spunto.core.specs.files import FileRequest

MAX_EXECS = 256
MAX_OUTPUT_PIECES = 16
MAX_READ_BYTES = 64 * 1024
MAX_LOG_LINES = 10_000
KILLED = 137
HUNG_UP = 129
TERMINATED = 143


class FakeLog:
    """A container's log: the latest lines, and a wake-up for those who follow."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._pending: dict[StreamName, bytes] = {}
        self._changed = asyncio.Event()
        self.lines: deque[tuple[int, LogChunk]] = deque(maxlen=MAX_LOG_LINES)
        self._count = 0

    async def write(self, stream: StreamName, data: bytes) -> None:
        *lines, rest = (self._pending.get(stream, b"") + data).split(b"\n")
        self._pending[stream] = rest[:MAX_READ_BYTES]
        for line in lines:
            text = line[:MAX_READ_BYTES].decode("utf-8", "replace")
            self.lines.append((self._count, LogChunk(at=self._now(), stream=stream, line=text)))
            self._count += 1
        self.wake()

    def wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        await self._changed.wait()

    def after(self, seen: int) -> list[tuple[int, LogChunk]]:
        return [(number, chunk) for number, chunk in self.lines if number > seen]


class MainProcess:
    """A container's first process. Its owner is the container; `ended` is called with the exit code."""

    def __init__(self, process: Process, command: list[str], ended: Callable[[int], None]) -> None:
        self._ended = ended
        self._task = asyncio.create_task(self._run(process, command), name=f"fake-main-{command[0]}")

    async def kill(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self, process: Process, command: list[str]) -> None:
        self._ended(await run(process, command))


class FakeExec:
    """`Exec` of the fake engine: bounded output, so that a slow reader slows the command."""

    def __init__(
        self, spec: ExecSpec, container: ContainerSpec, *, files: Files, log: FakeLog, commands: Mapping[str, Command]
    ) -> None:
        self._tty = spec.tty
        self._terminal = Terminal(cols=spec.cols, rows=spec.rows)
        self._output: asyncio.Queue[tuple[StreamName, bytes] | None] = asyncio.Queue(MAX_OUTPUT_PIECES)
        self._input: asyncio.Queue[bytes] = asyncio.Queue(MAX_OUTPUT_PIECES)
        self._at_eof = self._ended = False
        self._code: int | None = None
        process = Process(
            write=self._say,
            log=log.write,
            read=self._hear,
            files=files,
            env={**container.env, **spec.env},
            working_dir=spec.working_dir or container.working_dir or "/",
            user=spec.user or container.user or "root",
            terminal=self._terminal if spec.tty else None,
            commands=commands,
        )
        self._task = asyncio.create_task(self._run(process, list(spec.command)), name=f"fake-exec-{spec.command[0]}")

    async def read(self) -> tuple[Literal["stdout", "stderr"], bytes] | None:
        if self._ended:
            return None
        piece = await self._output.get()
        self._ended = piece is None
        return piece

    async def write(self, data: bytes) -> None:
        if not (self._at_eof or self._task.done()) and data:
            if self._tty:
                await self._say("stdout", data)  # a terminal echoes
            await self._input.put(data)

    async def write_eof(self) -> None:
        if not self._at_eof:
            self._at_eof = True
            await self._input.put(b"")

    async def resize(self, *, cols: int, rows: int) -> None:
        self._terminal.cols, self._terminal.rows = cols, rows

    async def exit_code(self) -> int:
        await asyncio.wait({self._task})
        if self._code is None:
            raise EngineUnavailable("it went away while the command ran")
        return self._code

    async def kill_tree(self) -> None:
        await self.kill(KILLED)

    async def aclose(self) -> None:
        await self.kill(HUNG_UP)

    def is_over(self) -> bool:
        return self._task.done()

    async def kill(self, code: int | None) -> None:
        """End the command; without a code nobody gets to know how it ended."""
        if self._task.done():
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        self._code = code
        while not self._output.empty():
            self._output.get_nowait()
        self._output.put_nowait(None)

    async def _run(self, process: Process, command: list[str]) -> None:
        self._code = await run(process, command)
        await self._output.put(None)

    async def _say(self, stream: StreamName, data: bytes) -> None:
        if self._tty:
            stream, data = "stdout", data.replace(b"\n", b"\r\n")
        for start in range(0, len(data), MAX_READ_BYTES):
            await self._output.put((stream, data[start : start + MAX_READ_BYTES]))

    async def _hear(self) -> bytes:
        return await self._input.get()


class FakeContainer:
    """What the engine keeps of a container."""

    def __init__(self, container_id: str, spec: ContainerSpec, *, files: Files, log: FakeLog) -> None:
        self.container_id = container_id
        self.spec = spec
        self.name = spec.name
        self.files = files
        self.log = log
        self.state = ContainerState.CREATED
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self.exit_code: int | None = None
        self.oom_killed = False
        self.main: MainProcess | None = None
        self.execs: set[FakeExec] = set()
        self.ports = FakePorts()
        self.networks = {spec.network}
        self.main_command: Sequence[str] = list(spec.command) or ["sleep", "infinity"]

    @property
    def has_processes(self) -> bool:
        return self.state in (ContainerState.RUNNING, ContainerState.PAUSED)

    def view(self) -> Container:
        return Container(
            container_id=self.container_id,
            name=self.name,
            state=self.state,
            labels=dict(self.spec.labels),
            image=self.spec.image,
            image_id=self.spec.image,
            started_at=self.started_at,
            finished_at=self.finished_at,
            exit_code=self.exit_code,
            oom_killed=self.oom_killed,
        )

    def exec(self, spec: ExecSpec, *, commands: Mapping[str, Command]) -> FakeExec:
        """Raises EngineRefused for one too many, CommandNotStarted where its directory is missing."""
        if spec.working_dir is not None and not self.files.has_directory(spec.working_dir):
            message = f"chdir to cwd ({spec.working_dir!r}) failed: no such file or directory"
            raise CommandNotStarted(message, exit_code=126)
        self.execs = {command for command in self.execs if not command.is_over()}
        if len(self.execs) >= MAX_EXECS:
            raise EngineRefused(f"container {self.name} runs {MAX_EXECS} commands already")
        command = FakeExec(spec, self.spec, files=self.files, log=self.log, commands=commands)
        self.execs.add(command)
        return command

    def work_on_files(self, asked: FileRequest, *, at: datetime) -> FakeFileWork:
        return FakeFileWork(self.files, asked, user=self.spec.user or "root", now=at)

    def stats(self, *, at: datetime) -> Stats:
        return Stats(
            cpu_percent=0.0,
            memory_bytes=min(1024 * 1024, self.spec.memory_bytes),
            memory_limit_bytes=self.spec.memory_bytes,
            pids=1 + sum(not command.is_over() for command in self.execs),
            network_rx_bytes=0,
            network_tx_bytes=0,
            block_read_bytes=0,
            block_write_bytes=0,
            sampled_at=at,
        )

    def disk_use(self) -> DiskUse:
        return DiskUse(
            container_bytes=_bytes_of(self.files.own),
            volume_bytes=sum(map(_bytes_of, self.files.volumes.values())),
            container_files=len(self.files.own),
            volume_files=sum(map(len, self.files.volumes.values())),
        )


def _bytes_of(files: Mapping[str, bytes]) -> int:
    return sum(map(len, files.values()))


def main_process(
    container: FakeContainer, *, commands: Mapping[str, Command], ended: Callable[[int], None]
) -> MainProcess:
    """Start the container's command; without one it runs until it is stopped."""
    spec = container.spec

    async def read() -> bytes:
        return b""

    process = Process(
        write=container.log.write,
        log=container.log.write,
        read=read,
        files=container.files,
        env=dict(spec.env),
        working_dir=spec.working_dir or "/",
        user=spec.user or "root",
        commands=commands,
    )
    return MainProcess(process, list(container.main_command), ended)
