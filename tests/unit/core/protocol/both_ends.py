"""A connection in memory, with both of its ends in the hands of a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.unit.core.protocol.messages import a_hello, a_welcome

from spunto.core.kernel.clock import ManualClock
from spunto.core.protocol import closing
from spunto.core.protocol.connection import Connection, OnStream
from spunto.core.protocol.events import Closed
from spunto.core.protocol.messages import Hello, StateMessage, Welcome
from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.protocol.session import SessionSettings
from spunto.core.protocol.stream import Stream

QUICK = SessionSettings(flush_seconds=0.01)


async def echo(stream: Stream) -> None:
    while (piece := await stream.next()) is not None:
        if isinstance(piece, bytes):
            await stream.write(piece)
        else:
            await stream.send_control(piece)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(200):
        await asyncio.sleep(0)


@dataclass
class Both:
    """A server and an agent on the two ends of a pipe."""

    server: Connection
    agent: Connection
    clock: ManualClock
    server_end: MemoryTransport
    agent_end: MemoryTransport
    at_server: list[StateMessage] = field(default_factory=list)
    at_agent: list[StateMessage] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ends: dict[str, asyncio.Task[Closed]] = field(default_factory=dict)

    async def pass_seconds(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1)
            await settle()


@asynccontextmanager
async def connected(
    *,
    on_stream: OnStream | None = echo,
    at_server: Callable[[Connection, StateMessage], Awaitable[None]] | None = None,
    accept: Callable[[Hello, int], Awaitable[Welcome]] | None = None,
    settings: SessionSettings = QUICK,
    capacity: int = 64,
) -> AsyncIterator[Both]:
    clock = ManualClock()
    server_end, agent_end = memory_transport_pair(capacity=capacity)

    async def take_at_server(_: Connection, message: StateMessage) -> None:
        both.at_server.append(message)

    async def take_at_agent(_: Connection, message: StateMessage) -> None:
        both.at_agent.append(message)

    async def welcome(_: Hello, protocol: int) -> Welcome:
        return a_welcome(protocol=protocol)

    def note(where: str, error: BaseException) -> None:
        both.errors.append(f"{where}: {error!r}")

    server = Connection.server(
        server_end,
        clock=clock,
        accept=accept or welcome,
        on_message=at_server or take_at_server,
        on_error=note,
        settings=settings,
    )
    agent = Connection.agent(
        agent_end,
        clock=clock,
        hello=a_hello(),
        on_message=take_at_agent,
        on_stream=on_stream,
        on_error=note,
        settings=QUICK,
    )
    both = Both(server, agent, clock, server_end, agent_end)
    async with asyncio.TaskGroup() as group:
        both.ends = {"server": group.create_task(server.run()), "agent": group.create_task(agent.run())}
        await settle()
        yield both
        server.close(closing.NORMAL, "test_over")
        agent.close(closing.NORMAL, "test_over")


async def ignore(_: Connection, __: StateMessage) -> None:
    """For connections whose messages are not the point."""
