"""The connections to the other server processes: one to each that is asked for something, made when it is needed."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.core.nodes.model import ReplicaId
from spunto.core.nodes.replica import Replica
from spunto.core.protocol.connection import Connection, OnStream
from spunto.core.protocol.messages import EngineReport, Hello, Limits, Resources, StateMessage, Welcome
from spunto.core.protocol.session import SessionSettings
from spunto.core.protocol.transport import Transport

Dial = Callable[[Replica], Awaitable[Transport]]
"""Connects to another process at its URL. Raises Unavailable, and may take its time."""

CONNECT_SECONDS: Final = 3.0
# A process that froze must not hold anybody up for long; three of these are its end.
_HEARTBEAT_SECONDS: Final = 2.0
# Many people's streams share the connection, and each begins with a frame.
_SETTINGS: Final = SessionSettings(
    heartbeat_seconds=_HEARTBEAT_SECONDS,
    handshake_seconds=CONNECT_SECONDS,
    control_per_second=20_000,
    control_burst=40_000,
    backlog_frames=16_384,
    handlers=4096,
)
_LIMITS: Final = Limits(max_streams=4096)


class ReplicaAway(Unavailable):
    """The process can't be reached now."""

    def __init__(self) -> None:
        super().__init__("node_offline", "The server that the node is connected to can't be reached; try again.")


class Peers:
    """`run` owns the connections that were dialled here; `serve` is one that another process dialled."""

    def __init__(self, *, own: Replica, dial: Dial, timeline_id: str, clock: Clock, on_stream: OnStream) -> None:
        self._own = own
        self._dial = dial
        self._timeline_id = timeline_id
        self._clock = clock
        self._on_stream = on_stream
        self._group: asyncio.TaskGroup | None = None
        self._connections: dict[ReplicaId, Connection] = {}
        self._dialling: defaultdict[ReplicaId, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self) -> None:
        """Hold the connections, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None

    async def connection(self, replica: Replica) -> Connection:
        """The connection to that process, made now if there is none. Raises ReplicaAway within seconds."""
        async with self._dialling[replica.id]:
            known = self._connections.get(replica.id)
            if known is not None:
                return known
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await self._connect(replica)
            except (Unavailable, TimeoutError) as error:
                raise ReplicaAway from error

    async def serve(self, transport: Transport) -> None:
        """Serve a process that has shown who it is, until its connection ends."""
        connection = Connection.server(
            transport,
            clock=self._clock,
            accept=self._accept,
            on_message=_pass_over,
            on_stream=self._on_stream,
            settings=_SETTINGS,
        )
        await connection.run()

    async def _connect(self, replica: Replica) -> Connection:
        if self._group is None or replica.url is None:
            raise ReplicaAway
        transport = await self._dial(replica)
        connection = Connection.agent(
            transport, clock=self._clock, hello=self._hello(), on_message=_pass_over, settings=_SETTINGS
        )
        running = self._group.create_task(self._hold(replica.id, connection), name=f"peer {replica.id}")
        try:
            welcome = await connection.ready()
            if (welcome.timeline_id, welcome.node_id) != (self._timeline_id, replica.id):
                raise ReplicaAway
        except BaseException:
            running.cancel()
            raise
        self._connections[replica.id] = connection
        return connection

    async def _hold(self, replica_id: ReplicaId, connection: Connection) -> None:
        try:
            await connection.run()
        finally:
            if self._connections.get(replica_id) is connection:
                del self._connections[replica_id]

    async def _accept(self, _: Hello, protocol: int) -> Welcome:
        return Welcome(
            protocol=protocol,
            epoch=1,
            timeline_id=self._timeline_id,
            node_id=self._own.id,
            server_time=self._clock.now(),
            heartbeat_seconds=_HEARTBEAT_SECONDS,
            limits=_LIMITS,
        )

    def _hello(self) -> Hello:
        """A process has neither engine nor room; the session asks for them all the same."""
        return Hello(
            agent_version="",
            instance_id=self._own.id,
            boot_id=self._own.id,
            engine=EngineReport(name="", version=""),
            resources=Resources(cpu_millis=0, memory_bytes=0, max_worker_cpu_millis=0),
        )


async def _pass_over(_: Connection, __: StateMessage) -> None:
    """Processes tell each other nothing but what is in streams."""
