"""The connection over a pipe: who is called for what, what a slow or failing part does to the rest, how it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.core.protocol.messages import a_hello, a_welcome, observed

from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Forbidden, NotFound, SpuntoError, Unauthenticated, Unavailable
from spunto.core.protocol import closing
from spunto.core.protocol.codec import decode, encode
from spunto.core.protocol.connection import Connection, OnStream
from spunto.core.protocol.events import Closed
from spunto.core.protocol.messages import Forget, Goodbye, Hello, Open, Ping, StateMessage, Welcome
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.protocol.session import SessionSettings
from spunto.core.protocol.stream import ConnectionLost, Stream
from spunto.core.protocol.transport import TransportClosed

QUICK = SessionSettings(flush_seconds=0.01)
FORGET = Forget(epoch=7, ids=("w",))


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


async def test_both_are_ready_after_the_handshake() -> None:
    async with connected() as both:
        assert await both.server.ready() == await both.agent.ready() == a_welcome()
        assert both.server.hello == a_hello()
        assert both.server.epoch == both.agent.epoch == 7


async def test_an_idle_connection_is_one_task_and_a_timer() -> None:
    async with connected() as both:
        both.agent.send(observed("a"))
        await settle()
        before = len(asyncio.all_tasks())
        both.server.close(closing.NORMAL, "enough")
        await settle()

        assert before - len(asyncio.all_tasks()) == 2

    assert both.clock.next_wake_seconds() is None


async def test_connections_keep_time_together() -> None:
    clock = ManualClock()
    async with asyncio.TaskGroup() as group:
        connections = []
        for _ in range(2):
            clock.advance(0.01)
            end, _far_end = memory_transport_pair()
            connections.append(Connection.agent(end, clock=clock, hello=a_hello(), on_message=ignore, settings=QUICK))
            group.create_task(connections[-1].run())
            await settle()

        clock.advance(clock.next_wake_seconds() or 0)

        assert [each.closed and each.closed.reason for each in connections] == ["handshake_timeout"] * 2


async def test_messages_arrive_in_order() -> None:
    async with connected() as both:
        both.agent.send(observed("a"))
        both.agent.send(observed("b"))
        both.server.send(FORGET)
        await settle()

        assert both.at_server == [observed("a"), observed("b")]
        assert both.at_agent == [FORGET]


async def test_a_message_that_could_not_be_handled_costs_itself_alone() -> None:
    taken: list[StateMessage] = []

    async def fail_once(_: Connection, message: StateMessage) -> None:
        taken.append(message)
        if len(taken) == 1:
            raise RuntimeError("broken")

    async with connected(at_server=fail_once) as both:
        both.agent.send(observed("a"))
        both.agent.send(observed("b"))
        await settle()

        assert taken == [observed("a"), observed("b")]
        assert both.errors == ["observed: RuntimeError('broken')"]


async def test_messages_that_pile_up_close_the_connection() -> None:
    async def stuck(_: Connection, __: StateMessage) -> None:
        await asyncio.Event().wait()

    async with connected(at_server=stuck, settings=replace(QUICK, inbox_messages=4)) as both:
        for _ in range(6):
            both.agent.send(observed("a"))
        await settle()

        assert await both.ends["agent"] == Closed(
            code=closing.BUSY,
            reason="inbox_full",
            message="Messages come faster than they can be handled.",
            by_peer=True,
        )


async def test_a_stream_carries_bytes_and_controls_both_ways() -> None:
    async with connected() as both, both.server.open("exec", {"command": ["cat"]}) as stream:
        big = bytes(range(256)) * 4096
        writer = asyncio.create_task(stream.write(big), name="writer")
        received = b""
        while len(received) < len(big):
            received += await stream.read() or b""
        await writer
        await stream.send_control({"resize": [80, 24]})
        control = await stream.next()
        await stream.write_eof()

        assert received == big
        assert control == {"resize": [80, 24]}
        assert await stream.next() is None


async def test_reading_bytes_passes_over_controls() -> None:
    async with connected() as both, both.server.open("exec", {}) as stream:
        await stream.send_control({"x": 1})
        await stream.write(b"bytes")

        assert await stream.read() == b"bytes"


async def test_a_stream_that_nobody_reads_stalls_only_its_own_writer() -> None:
    async with connected() as both, both.server.open("exec", {}) as stalled, both.server.open("exec", {}) as other:
        writer = asyncio.create_task(stalled.write(bytes(2**20)), name="writer")
        await settle()

        await other.write(b"still there?")
        assert await other.read() == b"still there?"
        await both.pass_seconds(60)

        assert not writer.done()
        assert (both.server.closed, both.agent.closed) == (None, None)
        assert both.server.rtt_seconds == 0
        stalled.reset("aborted")
        with pytest.raises(SpuntoError):
            await writer


@pytest.mark.parametrize(
    ("error", "code", "reported"),
    [
        (NotFound("container_not_found", "There is none."), "container_not_found", []),
        (ExceptionGroup("pumps", [NotFound("container_not_found", "x")]), "container_not_found", []),
        (RuntimeError("bug"), "internal_error", ["stream exec: RuntimeError('bug')"]),
    ],
)
async def test_a_failing_handler_resets_its_stream_alone(error: Exception, code: str, reported: list[str]) -> None:
    async def fail(stream: Stream) -> None:
        if stream.params.get("fail"):
            raise error
        await echo(stream)

    async with connected(on_stream=fail) as both, both.server.open("exec", {}) as other:
        async with both.server.open("exec", {"fail": True}) as failing:
            with pytest.raises(StreamReset) as reset:
                await failing.read()
        await other.write(b"x")

        assert reset.value.code == code
        assert both.errors == reported
        assert await other.read() == b"x"


async def test_the_stream_of_a_handler_that_returned_is_closed() -> None:
    async def say(stream: Stream) -> None:
        await stream.write(b"done")
        await stream.send_control({"exitCode": 0})

    async with connected(on_stream=say) as both, both.server.open("exec", {}) as stream:
        assert [await stream.next(), await stream.next(), await stream.next()] == [b"done", {"exitCode": 0}, None]


async def test_streams_are_refused_where_nobody_takes_them() -> None:
    async with connected(on_stream=None) as both, both.server.open("exec", {}) as stream:
        with pytest.raises(StreamReset) as reset:
            await stream.next()

        assert reset.value.code == "stream_refused"


async def test_handlers_that_outlive_their_streams_are_bounded() -> None:
    running = 0

    async def linger(stream: Stream) -> None:
        nonlocal running
        running += 1
        stream.reset("no_interest")
        await asyncio.Event().wait()

    async with connected(on_stream=linger) as both:
        for _ in range(600):
            both.server.open("exec", {}).reset("aborted")
            await settle()

        assert running == QUICK.handlers


async def test_a_reader_that_waits_ends_when_its_stream_is_closed() -> None:
    async with connected() as both:
        stream = both.server.open("exec", {})
        reader = asyncio.create_task(stream.next(), name="reader")
        await settle()

        await stream.aclose()

        assert await reader is None


async def test_an_aborted_block_resets_its_stream() -> None:
    ended: list[str] = []

    async def watch(stream: Stream) -> None:
        try:
            await stream.read()
        except StreamReset as reset:
            ended.append(reset.code)

    async with connected(on_stream=watch) as both:
        with pytest.raises(ZeroDivisionError):
            async with both.server.open("exec", {}):
                raise ZeroDivisionError
        await settle()

        assert ended == ["aborted"]


async def test_a_cut_pipe_ends_both_and_all_who_wait_on_streams() -> None:
    cancelled: list[str] = []

    async def wait(stream: Stream) -> None:
        try:
            await stream.read()
        except asyncio.CancelledError:
            cancelled.append(stream.kind)
            raise

    async with connected(on_stream=wait) as both:
        stream = both.server.open("exec", {})
        reader = asyncio.create_task(stream.next(), name="reader")
        await settle()

        both.server_end.abort()

        with pytest.raises(ConnectionLost):
            await reader
        with pytest.raises(ConnectionLost):
            await stream.write(b"x")
        with pytest.raises(ConnectionLost):
            both.server.open("exec", {})
        with pytest.raises(ConnectionLost):
            both.server.send(FORGET)
        assert await both.ends["agent"] == Closed(code=1006, reason="connection lost", by_peer=True)
        assert await both.ends["server"] == Closed(code=1006, reason="connection lost", by_peer=True)
        assert cancelled == ["exec"]


async def test_a_peer_that_fell_silent_is_noticed() -> None:
    clock = ManualClock()
    end, _ = memory_transport_pair()
    await end.send("nobody reads this")
    connection = Connection.agent(end, clock=clock, hello=a_hello(), on_message=ignore, settings=QUICK)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(connection.run())
        await settle()

        clock.advance(10)

        closed = await run
    assert (closed.code, closed.reason) == (closing.SILENT, "handshake_timeout")
    with pytest.raises(ConnectionLost):
        await connection.ready()


async def test_a_peer_that_answers_but_does_not_read_is_cut_off() -> None:
    clock = ManualClock()
    end, far_end = memory_transport_pair(capacity=2)
    connection = Connection.agent(end, clock=clock, hello=a_hello(), on_message=ignore, settings=QUICK)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(connection.run())
        await far_end.send(encode(a_welcome()))
        await settle()
        for second in range(100):
            clock.advance(1)
            await settle()
            if connection.closed:
                break
            await far_end.send(encode(Ping(nonce=second, sent_at=0)))

        assert (await run).reason == "peer_not_reading"


@pytest.mark.parametrize(
    ("error", "code", "reason", "retry_after_seconds"),
    [
        (Unauthenticated("node_token_rotated", "x"), closing.UNAUTHENTICATED, "node_token_rotated", None),
        (Forbidden("node_quarantined", "x"), closing.FORBIDDEN, "node_quarantined", None),
        (Unavailable("database_busy", "x", retry_after_seconds=3), closing.BUSY, "database_busy", 3),
        (NotFound("node_not_found", "x"), closing.BAD_PROTOCOL, "node_not_found", None),
        (RuntimeError("bug"), closing.BUSY, "internal_error", None),
    ],
)
async def test_an_agent_that_is_not_taken_in_is_told_why(
    error: Exception, code: int, reason: str, retry_after_seconds: float | None
) -> None:
    async def refuse(_: Hello, __: int) -> Welcome:
        raise error

    async with connected(accept=refuse) as both:
        closed = await both.ends["agent"]

    assert (closed.code, closed.reason, closed.by_peer) == (code, reason, True)
    assert closed.retry_after_seconds == retry_after_seconds


async def test_closing_says_goodbye_and_closes_the_transport() -> None:
    end, far_end = memory_transport_pair()
    connection = Connection.agent(end, clock=ManualClock(), hello=a_hello(), on_message=ignore, settings=QUICK)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(connection.run())
        await far_end.receive()

        connection.close(closing.RESTARTING, "restarting", retry_after_seconds=2)

        assert await run == Closed(code=1012, reason="restarting", retry_after_seconds=2)
        assert decode(await far_end.receive()) == Goodbye(code=1012, reason="restarting", retry_after_seconds=2)
        with pytest.raises(TransportClosed) as gone:
            await far_end.receive()
        assert (gone.value.code, gone.value.reason) == (1012, "restarting")


async def test_cancelling_ends_handlers_and_closes_the_transport() -> None:
    async with connected() as both:
        stream = both.server.open("exec", {})
        await settle()

        both.ends["agent"].cancel()
        await settle()

        assert both.ends["agent"].cancelled()
        with pytest.raises(ConnectionLost):
            await stream.next()


async def test_a_hostile_peer_whose_frames_never_run_out_leaves_others_their_turn() -> None:
    class Endless:
        """Sends a Hello and, once it is welcome, streams without end; reads nothing after that."""

        def __init__(self) -> None:
            self.sent = 0
            self.welcome = asyncio.Event()

        async def receive(self) -> str | bytes:
            self.sent += 1
            if self.sent == 1:
                return encode(a_hello())
            await self.welcome.wait()
            return encode(Open(stream=2 * self.sent + 1, kind="exec"))

        async def send(self, frame: str | bytes) -> None:
            if self.welcome.is_set():
                await asyncio.Event().wait()
            self.welcome.set()

        async def close(self, code: int, reason: str) -> None:
            pass

    turns = 0

    async def accept(_: Hello, __: int) -> Welcome:
        return a_welcome()

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    hostile = Endless()
    connection = Connection.server(
        hostile, clock=ManualClock(), accept=accept, on_message=ignore, on_stream=echo, settings=QUICK
    )
    other = asyncio.create_task(count_turns(), name="other")
    closed = await connection.run()
    other.cancel()

    assert (closed.code, closed.reason) == (closing.BUSY, "backlog_full")
    assert hostile.sent < 2000
    assert turns >= 1000 // 64


async def ignore(_: Connection, __: StateMessage) -> None:
    """For connections whose messages are not the point."""
