"""The connection over a pipe: who is called for what, what a slow or failing part does to the rest, how it ends."""

import asyncio
from dataclasses import replace

import pytest
from tests.unit.core.protocol.both_ends import QUICK, connected, echo, ignore, settle
from tests.unit.core.protocol.messages import a_hello, a_welcome, observed

from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from spunto.core.protocol import closing
from spunto.core.protocol.codec import decode, encode
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.events import Closed
from spunto.core.protocol.messages import Forget, Goodbye, Hello, Open, Ping, StateMessage, Welcome
from spunto.core.protocol.pipe import memory_transport_pair
from spunto.core.protocol.stream import ConnectionLost, Stream
from spunto.core.protocol.transport import TransportClosed

FORGET = Forget(epoch=7, ids=("w",))


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
