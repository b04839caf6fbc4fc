"""The edge's relays in memory, against the node's own end of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from tests.unit.core.executor.node_values import NODE, WORKER

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.port_connection import PortBroken, PortConnection
from spunto.core.executor.relays import NodeRelays
from spunto.core.executor.runtime import Container, ContainerSpec, Network
from spunto.core.executor.settings import NodeSettings
from spunto.core.executor.streams.tcp import TcpLimits, TcpStreams
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import SpuntoError, Unavailable
from spunto.core.kernel.log import silent
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.protocol.stream import Stream
from spunto.core.protocol.transport import Transport
from spunto.entrypoints.edge.relays import MANY_STREAMS, MAX_RELAYS, Relays
from spunto.entrypoints.edge.tickets import Tickets
from spunto.testing import settling

EDGE_URL = "https://edge.example.org"
PORT = 8000


class Order:
    """The stream of an order, as the node gets it."""

    def __init__(self, ticket: Secret) -> None:
        self.params = {"url": EDGE_URL, "ticket": ticket.reveal()}

    async def write_eof(self) -> None:
        """The order is obeyed."""


class Lab:
    """An edge, a node with one worker, and what goes on between them."""

    def __init__(self, *, limits: TcpLimits) -> None:
        self.clock = ManualClock()
        self.engine = FakeRuntime(images=["image"])
        self.tickets = Tickets(self.clock)
        self.edge = Relays(self._ask_dial, edge_id="edg_1", clock=self.clock, tickets=self.tickets)
        settings = NodeSettings(node_id=NODE, instance_id="i", boot_id="b", agent_version="1", engine="fake")
        self.tcp = TcpStreams(
            self.engine, clock=self.clock, standing=lambda each: self.standing.get(each), limits=limits
        )
        self.node = NodeRelays(self._dial, self.tcp, clock=self.clock, settings=settings, log=silent)
        self.standing: dict[str, Container] = {}
        self.dials: list[str | None] = []
        self.cables: list[MemoryTransport] = []
        self.trouble: SpuntoError | None = None
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def connect(self, port: int = PORT, *, subject_id: str = WORKER) -> Stream:
        async with asyncio.timeout(5):
            return await self.edge.connect(NODE, subject_id, port)

    async def _ask_dial(self, _: str, ticket: Secret) -> None:
        await self.goes_on.wait()
        if self.trouble is not None:
            raise self.trouble
        order: Any = Order(ticket)
        await self.node.obey(order)

    async def _dial(self, url: str, ticket: Secret) -> Transport:
        assert url == EDGE_URL
        self.dials.append(self.tickets.redeem(ticket.reveal()))
        ours, theirs = memory_transport_pair()
        self.cables.append(ours)
        self.edge.attach(NODE, ours)
        return theirs


@asynccontextmanager
async def a_lab(*, limits: TcpLimits = TcpLimits()) -> AsyncIterator[Lab]:  # noqa: B008 - frozen
    lab = Lab(limits=limits)
    await lab.engine.ensure_network(Network(name="net", subnet="10.214.0.0/28", labels={}))
    spec = ContainerSpec(
        name="one", image="image", network="net", hostname="w", labels={}, cpu_millis=1, memory_bytes=1, pids=1
    )
    await lab.engine.create_container(spec)
    await lab.engine.start_container("one")
    await see(lab)
    holding = [asyncio.ensure_future(lab.edge.run()), asyncio.ensure_future(lab.node.run())]
    await settling.settle()
    try:
        yield lab
    finally:
        for each in holding:
            each.cancel()
        await asyncio.wait(holding)
        await lab.engine.aclose()


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with a_lab() as lab:
        yield lab


async def see(lab: Lab) -> None:
    """The node looks at its container."""
    container = await lab.engine.find_container("one")
    assert container is not None
    lab.standing[WORKER] = container


async def echo(connection: PortConnection) -> None:
    while (data := await connection.read()) is not None:
        await connection.write(data)
    await connection.write(b"bye")


async def silence(connection: PortConnection) -> None:
    await connection.read()
    await asyncio.get_running_loop().create_future()


async def everything(stream: Stream) -> bytes:
    said = b""
    async with asyncio.timeout(5):
        while (data := await stream.read()) is not None:
            said += data
    return said


async def why_reset(stream: Stream) -> str:
    with pytest.raises(StreamReset) as reset:
        await everything(stream)
    return reset.value.code


async def why_not(lab: Lab, port: int = PORT, *, subject_id: str = WORKER) -> str:
    with pytest.raises(StreamReset) as reset:
        await lab.connect(port, subject_id=subject_id)
    return reset.value.code


async def test_a_stream_leads_to_the_port_and_ends_each_way_by_itself(lab: Lab) -> None:
    lab.engine.serve_port("one", PORT, echo)

    stream = await lab.connect()
    await stream.write(b"hello")
    await stream.write_eof()

    assert await everything(stream) == b"hellobye"
    assert lab.dials == [NODE]


async def test_many_at_once_have_the_node_dial_once(lab: Lab) -> None:
    lab.engine.serve_port("one", PORT, echo)

    streams = await asyncio.gather(*(lab.connect() for _ in range(50)))

    assert (len(lab.dials), len({stream.id for stream in streams})) == (1, 50)


async def test_many_streams_have_further_relays_made_up_to_four(lab: Lab) -> None:
    lab.engine.serve_port("one", PORT, silence)

    for _ in range(MANY_STREAMS * (MAX_RELAYS + 1)):
        await lab.connect()
        await settling.settle()

    assert len(lab.dials) == MAX_RELAYS


async def test_a_node_that_can_not_be_told_to_dial_is_said_to_everybody_who_waits(lab: Lab) -> None:
    lab.trouble = Unavailable("node_offline", "The node is not connected.")
    lab.goes_on.clear()
    waiting = [asyncio.ensure_future(lab.connect()) for _ in range(3)]
    await settling.settle()

    lab.goes_on.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert [getattr(each, "code", each) for each in answers] == ["node_offline"] * 3


async def test_a_node_that_was_away_is_asked_again_by_the_next(lab: Lab) -> None:
    lab.engine.serve_port("one", PORT, echo)
    lab.trouble = Unavailable("node_offline", "The node is not connected.")
    with pytest.raises(Unavailable):
        await lab.connect()

    lab.trouble = None
    stream = await lab.connect()
    await stream.write_eof()

    assert await everything(stream) == b"bye"


async def test_streams_on_a_relay_that_is_cut_are_lost_and_the_next_is_on_a_new_one(lab: Lab) -> None:
    lab.engine.serve_port("one", PORT, echo)
    stream = await lab.connect()
    await stream.write(b"hello")
    await stream.read()

    lab.cables[0].abort()
    with pytest.raises(Unavailable) as lost:
        await everything(stream)
    again = await lab.connect()
    await again.write_eof()

    assert (lost.value.code, await everything(again), len(lab.dials)) == ("connection_lost", b"bye", 2)


async def test_a_relay_that_nobody_uses_ends_after_a_minute(lab: Lab) -> None:
    lab.engine.serve_port("one", PORT, echo)
    stream = await lab.connect()
    await settling.advance(lab.clock, 300)
    await stream.write_eof()
    used = await everything(stream)
    await stream.aclose()

    await settling.advance(lab.clock, 59)
    await (await lab.connect()).aclose()
    await settling.advance(lab.clock, 59)
    within = len(lab.dials)
    await settling.advance(lab.clock, 30)
    await lab.connect()

    assert (used, within, len(lab.dials)) == (b"bye", 1, 2)


@pytest.mark.parametrize(
    ("subject_id", "port", "code"),
    [
        (WORKER, 8001, "connection_refused"),
        (WORKER, 0, "bad_port"),
        (WORKER, 65_536, "bad_port"),
        (WORKER, -1, "bad_port"),
        ("wkr_01j00000000000000000000009", PORT, "container_not_found"),
    ],
)
async def test_what_can_not_be_reached_says_why(lab: Lab, subject_id: str, port: int, code: str) -> None:
    lab.engine.serve_port("one", PORT, echo)

    assert await why_not(lab, port, subject_id=subject_id) == code


async def test_a_worker_that_does_not_run_is_not_reached(lab: Lab) -> None:
    await lab.engine.stop_container("one", grace_seconds=0)
    await see(lab)

    assert await why_not(lab) == "worker_not_running"


async def test_a_program_that_breaks_off_resets_the_stream(lab: Lab) -> None:
    lab.engine.serve_port("one", PORT, silence)
    stream = await lab.connect()
    await stream.write(b"hello")
    await settling.settle()

    await lab.engine.stop_container("one", grace_seconds=0)

    assert await why_reset(stream) == "connection_reset"


async def test_what_a_program_says_before_it_breaks_off_arrives_though_it_takes_no_more(lab: Lab) -> None:
    async def refuse(connection: PortConnection) -> None:
        await connection.read()
        await connection.write(b"too much" * 8192)
        connection.abort()
        raise PortBroken

    lab.engine.serve_port("one", PORT, refuse)
    stream = await lab.connect()

    with suppress(StreamReset):
        async with asyncio.timeout(5):
            await stream.write(b"x" * 1024 * 1024)
    said = b""
    while len(said) < 65_536 and (data := await stream.read()):
        said += data

    assert said == b"too much" * 8192
    assert await why_reset(stream) == "connection_reset"


async def test_a_stream_that_is_given_up_breaks_the_connection_off(lab: Lab) -> None:
    broken = asyncio.Event()

    async def chatter(connection: PortConnection) -> None:
        with suppress(PortBroken):
            while True:
                await connection.write(b"x" * 65_536)
        broken.set()

    lab.engine.serve_port("one", PORT, chatter)
    stream = await lab.connect()
    await stream.read()

    await stream.aclose()

    async with asyncio.timeout(5):
        await broken.wait()


async def test_a_reset_is_noticed_while_the_program_takes_nothing(lab: Lab) -> None:
    looks, broken = asyncio.Event(), asyncio.Event()

    async def dawdle(connection: PortConnection) -> None:
        await looks.wait()
        with suppress(PortBroken):
            while await connection.read():
                pass
            return
        broken.set()

    lab.engine.serve_port("one", PORT, dawdle)
    stream = await lab.connect()
    await stream.write(b"x" * 1024 * 1024)
    await settling.settle()

    stream.reset("gone")
    await settling.settle()
    looks.set()

    async with asyncio.timeout(5):
        await broken.wait()


async def test_a_relay_carries_ports_alone(lab: Lab) -> None:
    lab.engine.serve_port("one", PORT, echo)
    stream = await lab.connect()

    other = stream._owner.open("exec", {"subjectId": WORKER, "command": ["true"]})  # type: ignore[attr-defined]

    assert await why_reset(other) == "unknown_stream_kind"


@pytest.mark.parametrize("limits", [TcpLimits(per_subject=2), TcpLimits(per_node=2)])
async def test_connections_beyond_the_limit_are_refused_until_one_ends(limits: TcpLimits) -> None:
    async with a_lab(limits=limits) as lab:
        lab.engine.serve_port("one", PORT, echo)
        first, second = await lab.connect(), await lab.connect()
        await second.write(b"x")
        await second.read()

        refused = await why_not(lab)
        await first.write_eof()
        await everything(first)
        await settling.settle()
        third = await lab.connect()
        await third.write(b"hello")

        assert (refused, await third.read()) == ("too_many_connections", b"hello")


async def test_a_connection_that_has_moved_nothing_for_long_ends_and_is_told_why(lab: Lab) -> None:
    lab.engine.serve_port("one", PORT, echo)
    stream = await lab.connect()

    await settling.advance(lab.clock, 601)

    assert await why_reset(stream) == "connection_idle"


async def test_what_moves_keeps_a_connection(lab: Lab) -> None:
    lab.engine.serve_port("one", PORT, echo)
    stream = await lab.connect()

    said = []
    for _ in range(3):
        await settling.advance(lab.clock, 590)
        await stream.write(b"x")
        said.append(await stream.read())

    assert said == [b"x"] * 3


async def test_a_connection_may_move_nothing_for_as_long_as_it_likes_where_the_node_lets_it() -> None:
    async with a_lab(limits=TcpLimits(idle_seconds=None)) as lab:
        lab.engine.serve_port("one", PORT, echo)
        stream = await lab.connect()

        await settling.advance(lab.clock, 3600)
        await stream.write(b"x")

        assert await stream.read() == b"x"
