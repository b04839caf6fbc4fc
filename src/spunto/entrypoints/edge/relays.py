"""The edge's connections to nodes' agents: made when one is needed, shared by all that go to that node."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from spunto.core.kernel.clock import Clock, Timer
from spunto.core.kernel.errors import SpuntoError, Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.protocol import closing
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import Hello, JsonObject, StateMessage, Welcome
from spunto.core.protocol.relaying import CONNECTED, IDLE_SECONDS, RELAY_SETTINGS, TCP, relay_welcome
from spunto.core.protocol.stream import ConnectionLost, Stream
from spunto.core.protocol.transport import Transport
from spunto.entrypoints.edge.tickets import Tickets

AskDial = Callable[[str, Secret], Awaitable[None]]
"""Has the node's agent dial this edge with the ticket; returns when it has, or has taken the order.

Raises an error of ours, such as Unavailable `node_offline` or `dial_refused`.
"""

CONNECT_SECONDS: Final = 10.0
MAX_RELAYS: Final = 4
MANY_STREAMS: Final = 128
_LOOK_SECONDS: Final = 15.0


@dataclass(slots=True, kw_only=True, eq=False)
class _Relay:
    """`used_at` is when it last had a stream, as far as anybody looked."""

    connection: Connection
    used_at: float
    timer: Timer | None = None

    @property
    def streams(self) -> int:
        return len(self.connection.streams)


@dataclass(slots=True, kw_only=True, eq=False)
class _Node:
    relays: list[_Relay] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    dialling: asyncio.Task[None] | None = None

    @property
    def is_forgotten(self) -> bool:
        return not (self.relays or self.waiting or self.dialling)

    def least_used(self) -> _Relay | None:
        up = (each for each in self.relays if each.connection.closed is None)
        return min(up, key=lambda each: each.streams, default=None)

    def came(self) -> None:
        for each in self._take_waiting():
            each.set_result(None)

    def failed(self, error: SpuntoError) -> None:
        for each in self._take_waiting():
            each.set_exception(error)

    def _take_waiting(self) -> list[asyncio.Future[None]]:
        waiting, self.waiting = self.waiting, []
        return [each for each in waiting if not each.done()]


class Relays:
    """`run` owns the relays and the orders to dial."""

    def __init__(self, ask_dial: AskDial, *, edge_id: str, clock: Clock, tickets: Tickets) -> None:
        self._ask_dial = ask_dial
        self._edge_id = edge_id
        self._clock = clock
        self._tickets = tickets
        self._group: asyncio.TaskGroup | None = None
        self._nodes: dict[str, _Node] = {}

    async def run(self) -> None:
        """Hold the relays, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None

    async def connect(self, node_id: str, subject_id: str, port: int) -> Stream:
        """A stream that is connected to the port; nothing has been sent on it.

        Raises what the order to dial raised, Unavailable `relay_timeout` and `too_many_streams`, and what the agent has
        against it as StreamReset: `connection_refused`, `port_unreachable`, `worker_not_running`, …
        """
        params: JsonObject = {"subjectId": subject_id, "port": port}
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                while True:
                    relay = await self._relay(node_id)
                    with suppress(ConnectionLost):
                        relay.used_at = self._clock.monotonic()
                        return await _connected(relay.connection.open(TCP, params))
        except TimeoutError as error:
            raise _came_too_late() from error

    def attach(self, node_id: str, transport: Transport) -> None:
        """Take a transport whose bearer showed the node's ticket, for as long as it stands. Raises ConnectionLost."""
        if self._group is None:
            raise ConnectionLost
        self._group.create_task(self._serve(node_id, transport), name=f"relay of {node_id}")

    async def _relay(self, node_id: str) -> _Relay:
        node = self._nodes.setdefault(node_id, _Node())
        while True:
            relay = node.least_used()
            if relay is None or (relay.streams >= MANY_STREAMS and len(node.relays) < MAX_RELAYS):
                self._dial(node_id, node)
            if relay is not None:
                return relay
            waiting = asyncio.get_running_loop().create_future()
            node.waiting.append(waiting)
            await waiting

    def _dial(self, node_id: str, node: _Node) -> None:
        if node.dialling is None:
            if self._group is None:
                raise ConnectionLost
            node.dialling = self._group.create_task(self._order(node_id, node), name=f"dial of {node_id}")

    async def _order(self, node_id: str, node: _Node) -> None:
        """Whoever waits is told within the bound, one way or the other."""
        before = set(node.relays)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._ask_dial(node_id, self._tickets.new(node_id))
                while set(node.relays) <= before:
                    arrival = asyncio.get_running_loop().create_future()
                    node.waiting.append(arrival)
                    await arrival
        except TimeoutError:
            node.failed(_came_too_late())
        except SpuntoError as error:
            node.failed(error)
        finally:
            node.dialling = None
            # One that came may have gone again already: who still waits looks, and gives a new order.
            node.came()
            self._forget(node_id, node)

    async def _serve(self, node_id: str, transport: Transport) -> None:
        async def accept(_: Hello, protocol: int) -> Welcome:
            return relay_welcome(protocol=protocol, node_id=node_id, edge_id=self._edge_id, now=self._clock.now())

        connection = Connection.server(
            transport, clock=self._clock, accept=accept, on_message=_pass_over, settings=RELAY_SETTINGS
        )
        relay = _Relay(connection=connection, used_at=self._clock.monotonic())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_in(node_id, relay), name=f"new relay of {node_id}")
            try:
                await connection.run()
            finally:
                self._let_go(node_id, relay)

    async def _take_in(self, node_id: str, relay: _Relay) -> None:
        """Let it be used as soon as both ends know each other."""
        with suppress(ConnectionLost):
            await relay.connection.ready()
            node = self._nodes.setdefault(node_id, _Node())
            node.relays.append(relay)
            self._look_later(relay)
            node.came()

    def _let_go(self, node_id: str, relay: _Relay) -> None:
        if relay.timer is not None:
            relay.timer.cancel()
        node = self._nodes.get(node_id)
        if node is not None and relay in node.relays:
            node.relays.remove(relay)
            self._forget(node_id, node)

    def _look_later(self, relay: _Relay) -> None:
        # A timer, not a task: a thousand idle relays cost little.
        relay.timer = self._clock.call_later(_LOOK_SECONDS, partial(self._look, relay))

    def _look(self, relay: _Relay) -> None:
        now = self._clock.monotonic()
        if relay.streams:
            relay.used_at = now
        if now - relay.used_at >= IDLE_SECONDS:
            relay.connection.close(closing.NORMAL, "idle")
        else:
            self._look_later(relay)

    def _forget(self, node_id: str, node: _Node) -> None:
        if node.is_forgotten and self._nodes.get(node_id) is node:
            del self._nodes[node_id]


async def _connected(stream: Stream) -> Stream:
    try:
        if await stream.next() != CONNECTED:
            raise Unavailable("connection_reset", "The node's agent did not say that it is connected.")
    except BaseException:
        stream.reset("aborted")
        raise
    return stream


def _came_too_late() -> Unavailable:
    return Unavailable("relay_timeout", "The node did not connect to this edge in time; try again.")


async def _pass_over(_: Connection, __: StateMessage) -> None:
    """A relay carries streams and nothing else."""
