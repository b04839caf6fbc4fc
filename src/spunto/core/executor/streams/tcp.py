"""Carries a stream's bytes to and from a port of a container."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from spunto.core.executor.port_connection import PortBroken, PortConnection, PortUnreachable
from spunto.core.executor.runtime import Container, ContainerGone, ContainerNotRunning, ContainerRuntime, ContainerState
from spunto.core.executor.streams.params import Params
from spunto.core.kernel.clock import Clock, Timer
from spunto.core.kernel.errors import Invalid, QuotaExceeded
from spunto.core.protocol.relaying import CONNECTED
from spunto.core.protocol.stream import Stream

CONNECT_SECONDS = 5.0
MAX_PORT = 65_535
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpLimits:
    """How many connections to ports stand at once, whoever asks for them, and for how long they may move nothing; None
    is for ever."""

    per_subject: int = 1024
    per_node: int = 8192
    idle_seconds: float | None = 600.0


class TcpStreams:
    """`standing` gives the container of a subject: the only ones that may be reached, ours and wanted on this node."""

    def __init__(
        self,
        runtime: ContainerRuntime,
        *,
        clock: Clock,
        standing: Callable[[str], Container | None],
        limits: TcpLimits = TcpLimits(),
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._standing = standing
        self._limits = limits
        self._open: Counter[str] = Counter()

    async def serve(self, stream: Stream) -> None:
        """Serve one stream to its end. What it raises is the stream's reset."""
        params = Params(stream.params)
        subject_id, port = params.text("subjectId"), params.optional_number("port")
        if port is None or not 1 <= port <= MAX_PORT:
            raise Invalid("bad_port", f"A port is a number from 1 to {MAX_PORT}.")
        container = self._standing(subject_id)
        if container is None:
            raise ContainerGone(subject_id)
        if container.state is not ContainerState.RUNNING:
            raise ContainerNotRunning(container.name)
        self._count(subject_id)
        try:
            connection = await self._connect(container.name, port)
            await _Carrier(stream, connection, clock=self._clock, idle_seconds=self._limits.idle_seconds).run()
        finally:
            self._open[subject_id] -= 1
            if not self._open[subject_id]:
                del self._open[subject_id]

    def _count(self, subject_id: str) -> None:
        if self._open[subject_id] >= self._limits.per_subject or self._open.total() >= self._limits.per_node:
            message = "Too many connections are open to this worker, or on this node; try again when some have ended."
            raise QuotaExceeded("too_many_connections", message, retry_after_seconds=_AGAIN_SECONDS)
        self._open[subject_id] += 1

    async def _connect(self, name: str, port: int) -> PortConnection:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._runtime.connect_port(name, port)
        except TimeoutError as error:
            raise PortUnreachable(port, f"no answer within {CONNECT_SECONDS:g} s") from error


class _Carrier:
    """Says that somebody listens, and passes bytes on both ways until both directions have ended, or it is given up.

    The connection ends with it. Each side's slowness holds the other: by credit there, by the socket's buffer here.
    """

    def __init__(self, stream: Stream, connection: PortConnection, *, clock: Clock, idle_seconds: float | None) -> None:
        self._stream = stream
        self._connection = connection
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._moved_at = clock.monotonic()
        self._timer: Timer | None = None

    async def run(self) -> None:
        self._look_later()
        try:
            await self._stream.send_control(CONNECTED)
            async with asyncio.TaskGroup() as group:
                there = group.create_task(self._there(), name="to the port")
                back = group.create_task(self._back(), name="from the port")
                # Who has said all that they had to say, or waits for a program that takes nothing, may yet stop
                # listening.
                leaving = group.create_task(self._stream.given_up(), name="leaving the port")
                under_way = {there, back}
                while under_way and not leaving.done():
                    await asyncio.wait({*under_way, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    under_way = {each for each in under_way if not each.done()}
                leaving.cancel()
                if under_way:
                    self._connection.abort()
                for each in under_way:
                    each.cancel()
        except BaseException:
            self._connection.abort()
            raise
        finally:
            if self._timer is not None:
                self._timer.cancel()
            await self._connection.aclose()

    async def _there(self) -> None:
        while (data := await self._stream.read()) is not None:
            try:
                await self._connection.write(data)
            except PortBroken:
                # The program may have said something before; reading gives it, and how it ended.
                return
            self._moved_at = self._clock.monotonic()
        await self._connection.write_eof()

    async def _back(self) -> None:
        while (data := await self._connection.read()) is not None:
            await self._stream.write(data)
            self._moved_at = self._clock.monotonic()
        await self._stream.write_eof()

    def _look_later(self) -> None:
        # A timer, not a task: a thousand idle connections cost little.
        if self._idle_seconds is not None:
            left = self._moved_at + self._idle_seconds - self._clock.monotonic()
            self._timer = self._clock.call_later(left, self._look)

    def _look(self) -> None:
        seconds = self._idle_seconds
        if seconds is not None and self._clock.monotonic() - self._moved_at >= seconds:
            self._stream.reset("connection_idle", f"Nothing moved on the connection for {seconds:g} seconds.")
        else:
            self._look_later()
