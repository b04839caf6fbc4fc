"""Carries a stream's bytes to and from a port of a container."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from spunto.core.executor.port_connection import PortConnection, PortUnreachable
from spunto.core.executor.runtime import Container, ContainerGone, ContainerNotRunning, ContainerRuntime, ContainerState
from spunto.core.executor.streams.params import Params
from spunto.core.kernel.errors import Invalid, QuotaExceeded
from spunto.core.protocol.relaying import CONNECTED
from spunto.core.protocol.stream import Stream

CONNECT_SECONDS = 5.0
MAX_PORT = 65_535
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpLimits:
    """How many connections to ports stand at once, whoever asks for them."""

    per_subject: int = 1024
    per_node: int = 8192


class TcpStreams:
    """`standing` gives the container of a subject: the only ones that may be reached, ours and wanted on this node."""

    def __init__(
        self,
        runtime: ContainerRuntime,
        *,
        standing: Callable[[str], Container | None],
        limits: TcpLimits = TcpLimits(),
    ) -> None:
        self._runtime = runtime
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
            await carry(stream, await self._connect(container.name, port))
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


async def carry(stream: Stream, connection: PortConnection) -> None:
    """Say that somebody listens, and pass bytes on both ways until both directions have ended, or it is given up.

    The connection ends with it. Each side's slowness holds the other: by credit there, by the socket's buffer here.
    """
    try:
        await stream.send_control(CONNECTED)
        async with asyncio.TaskGroup() as group:
            there = group.create_task(_there(stream, connection), name="to the port")
            back = group.create_task(_back(stream, connection), name="from the port")
            # Who has said all that they had to say, or waits for a program that takes nothing, may yet stop listening.
            leaving = group.create_task(stream.given_up(), name="leaving the port")
            under_way = {there, back}
            while under_way and not leaving.done():
                await asyncio.wait({*under_way, leaving}, return_when=asyncio.FIRST_COMPLETED)
                under_way = {each for each in under_way if not each.done()}
            leaving.cancel()
            if under_way:
                connection.abort()
            for each in under_way:
                each.cancel()
    except BaseException:
        connection.abort()
        raise
    finally:
        await connection.aclose()


async def _there(stream: Stream, connection: PortConnection) -> None:
    while (data := await stream.read()) is not None:
        await connection.write(data)
    await connection.write_eof()


async def _back(stream: Stream, connection: PortConnection) -> None:
    while (data := await connection.read()) is not None:
        await stream.write(data)
    await stream.write_eof()
