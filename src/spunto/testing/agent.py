"""An agent's process on a simulated node: the real runner, streams and session, without a disk and without sockets."""

import asyncio
from collections.abc import Callable, Collection

from spunto.core.executor.journal import MemoryJournal
from spunto.core.executor.reading import Reading
from spunto.core.executor.relays import NodeRelays
from spunto.core.executor.runner import NodeRunner
from spunto.core.executor.runtime import ContainerRuntime
from spunto.core.executor.settings import NodeSettings
from spunto.core.executor.streams.serving import NodeStreams
from spunto.core.executor.streams.tcp import TcpStreams
from spunto.core.executor.terminals.port import TerminalHolder
from spunto.core.executor.uplink import Uplink
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.log import Log
from spunto.core.kernel.secret import Secret
from spunto.core.protocol import closing
from spunto.core.protocol.events import Closed
from spunto.core.protocol.transport import Transport
from spunto.testing.network import Cable, Network

_AGAIN_SECONDS = 1.0
_SUPERSEDED_SECONDS = 60.0
_TURNED_AWAY = frozenset({closing.UNAUTHENTICATED, closing.FORBIDDEN})

Answer = Callable[[Transport], None]
"""Hands the server's end of a new connection to the server."""
AnswerAsEdge = Callable[[str, Secret, Transport], None]
"""Hands the other end of a dialled relay to the edge at that URL. Raises Unavailable."""


def no_edge(url: str, _: Secret, __: Transport) -> None:
    """Where no edge is."""
    raise Unavailable("dial_refused", f"There is no edge at {url!r} here.")


class SimulatedAgent:
    """One run of an agent. `turned_away` is how the server shut it out for good, `connections` how often it came."""

    def __init__(
        self,
        runtime: ContainerRuntime,
        *,
        journal: MemoryJournal,
        clock: Clock,
        settings: NodeSettings,
        network: Network,
        answer: Answer,
        answer_as_edge: AnswerAsEdge,
        reading: Reading,
        streams: Collection[str],
        terminals: TerminalHolder,
        log: Log,
    ) -> None:
        self._clock = clock
        self._network = network
        self._answer = answer
        self._answer_as_edge = answer_as_edge
        self._runner = NodeRunner(
            runtime, journal=journal, clock=clock, settings=settings, reading=reading, streams=streams, log=log
        )
        tcp = TcpStreams(runtime, clock=clock, standing=self._runner.standing)
        self._relays = NodeRelays(self._dial_edge, tcp, clock=clock, settings=settings, log=log)
        self._streams = NodeStreams(
            runtime,
            clock=clock,
            standing=self._runner.standing,
            inventory=self._runner.inventory,
            dial=self._relays.obey,
            terminals=terminals,
            log=log,
        )
        self._uplink = Uplink(self._runner, clock=clock, on_stream=self._streams.handle, log=log)
        self._cable: Cable | None = None
        self._to_edges: list[Cable] = []
        self.turned_away: Closed | None = None
        self.connections = 0

    async def run(self) -> None:
        """Work until cancelled; turned away, it goes on without a server, so that a test can look at it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._runner.run(), name="node runner")
            group.create_task(self._streams.run(), name="node streams")
            group.create_task(self._relays.run(), name="node relays")
            await self._runner.engine_answered()
            await self._stay_connected()

    def drop_connection(self) -> None:
        """The connections break, as when the process dies: nobody says goodbye."""
        for cable in (self._cable, *self._to_edges):
            if cable is not None:
                cable.die_at_agent()

    async def _stay_connected(self) -> None:
        while True:
            closed = await self._connect_once()
            if closed.code in _TURNED_AWAY:
                self.turned_away = closed
                return
            if closed.code == closing.SUPERSEDED:
                self._runner.stand_down()
                await self._clock.sleep(_SUPERSEDED_SECONDS)
            elif self._network.is_up:
                await self._clock.sleep(closed.retry_after_seconds or _AGAIN_SECONDS)

    async def _connect_once(self) -> Closed:
        cable = self._cable = await self._network.dial()
        self.connections += 1
        self._answer(cable.server_end)
        try:
            return await self._uplink.serve(cable.agent_end)
        finally:
            self._network.hang_up(cable)

    async def _dial_edge(self, url: str, ticket: Secret) -> Transport:
        cable = await self._network.dial_edge()
        self._answer_as_edge(url, ticket, cable.server_end)
        self._to_edges.append(cable)
        return cable.agent_end
