"""The node's connections to edges: dialled on the server's order, and for ports of what stands here alone."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from spunto.core.executor.settings import NodeSettings
from spunto.core.executor.streams.params import Params
from spunto.core.executor.streams.tcp import TcpStreams
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Invalid, Unavailable
from spunto.core.kernel.log import Log
from spunto.core.kernel.secret import Secret
from spunto.core.protocol import closing
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import StateMessage
from spunto.core.protocol.relaying import IDLE_SECONDS, RELAY_SETTINGS, TCP, relay_hello
from spunto.core.protocol.stream import ConnectionLost, Stream
from spunto.core.protocol.transport import Transport

DialEdge = Callable[[str, Secret], Awaitable[Transport]]
"""Connects to the edge at the URL, with the ticket.

Raises Unavailable `dial_refused` for an edge that the node's owner does not let the agent dial, and `dial_failed`.
"""

MAX_RELAYS: Final = 64
_STAND_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 15.0
# The idle end is the edge's, which knows what it is about to open; this one is for edges that forget.
_FORGOTTEN_SECONDS: Final = 2 * IDLE_SECONDS


class NodeRelays:
    """`run` owns the relays."""

    def __init__(self, dial: DialEdge, tcp: TcpStreams, *, clock: Clock, settings: NodeSettings, log: Log) -> None:
        self._dial = dial
        self._tcp = tcp
        self._clock = clock
        self._log = log
        self._hello = relay_hello(instance_id=settings.instance_id, agent_version=settings.agent_version)
        self._group: asyncio.TaskGroup | None = None
        self._standing = 0

    async def run(self) -> None:
        """Hold the relays, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None

    async def obey(self, stream: Stream) -> None:
        """Dial as the stream says, and end it when the relay stands. What it raises is the stream's reset."""
        params = Params(stream.params)
        url, ticket = params.text("url"), Secret(params.text("ticket"))
        group = self._group
        if group is None or self._standing >= MAX_RELAYS:
            raise Unavailable("dial_failed", "The agent has too many connections to edges.")
        # Counted before it stands, or many at once would pass the bound.
        self._standing += 1
        try:
            transport = await self._dial(url, ticket)
        except BaseException:
            self._standing -= 1
            raise
        connection = Connection.agent(
            transport,
            clock=self._clock,
            hello=self._hello,
            on_message=_pass_over,
            on_error=self._note_error,
            on_stream=self._serve,
            settings=RELAY_SETTINGS,
        )
        group.create_task(self._hold(connection, url), name="relay")
        try:
            async with asyncio.timeout(_STAND_SECONDS):
                await connection.ready()
        except (ConnectionLost, TimeoutError) as error:
            connection.close(closing.NORMAL, "not_ready")
            raise Unavailable("dial_failed", "The edge did not answer as an edge does.") from error
        await stream.write_eof()

    async def _hold(self, connection: Connection, url: str) -> None:
        """Until it ends; it was counted by who dialled."""
        try:
            async with asyncio.TaskGroup() as group:
                looking = group.create_task(self._end_when_forgotten(connection), name="forgotten relay")
                closed = await connection.run()
                looking.cancel()
        finally:
            self._standing -= 1
        self._log("relay_ended", edge=url, code=closed.code, reason=closed.reason)

    async def _end_when_forgotten(self, connection: Connection) -> None:
        used_at = self._clock.monotonic()
        while self._clock.monotonic() - used_at < _FORGOTTEN_SECONDS:
            await self._clock.sleep(_LOOK_SECONDS)
            if len(connection.streams):
                used_at = self._clock.monotonic()
        connection.close(closing.NORMAL, "idle")

    async def _serve(self, stream: Stream) -> None:
        if stream.kind != TCP:
            raise Invalid("unknown_stream_kind", "A relay carries connections to ports and nothing else.")
        with suppress(ConnectionLost):
            await self._tcp.serve(stream)

    def _note_error(self, where: str, error: BaseException) -> None:
        self._log("handler_failed", where=where, error=repr(error))


async def _pass_over(_: Connection, __: StateMessage) -> None:
    """An edge has nothing to say but in streams."""
