"""The network between one simulated node and the server, which can go down, and can fall silent."""

import asyncio

from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.protocol.transport import TransportClosed

_HELD_FRAMES = 4096


class Cable:
    """One connection. While it is silent, what is sent waits in the network, as with TCP, and no close gets through."""

    def __init__(self) -> None:
        agent_end, server_end = memory_transport_pair()
        self.is_silent = False
        self.agent_end = CableEnd(self, agent_end)
        self.server_end = CableEnd(self, server_end)

    async def speak_again(self) -> None:
        """Deliver what was held back; where one end has given up meanwhile, the other now learns of it."""
        self.is_silent = False
        for end in (self.agent_end, self.server_end):
            if end.has_given_up:
                end.transport.abort()
        for end in (self.agent_end, self.server_end):
            await end.deliver()

    def cut(self) -> None:
        """Both ends lose the connection at once, without a goodbye."""
        self.is_silent = False
        self.agent_end.transport.abort()

    def die_at_agent(self) -> None:
        """The agent's process is gone; the server learns of it unless the network is silent."""
        if self.is_silent:
            self.agent_end.has_given_up = True
        else:
            self.cut()


class CableEnd:
    """A transport of the protocol's."""

    def __init__(self, cable: Cable, transport: MemoryTransport) -> None:
        self.transport = transport
        self.has_given_up = False
        self._cable = cable
        self._held: list[str | bytes] = []

    async def send(self, frame: str | bytes) -> None:
        if self.has_given_up or len(self._held) >= _HELD_FRAMES:
            raise TransportClosed(1006, "connection lost")
        if self._cable.is_silent:
            self._held.append(frame)
        else:
            await self.transport.send(frame)

    async def receive(self) -> str | bytes:
        return await self.transport.receive()

    async def close(self, code: int, reason: str) -> None:
        if self._cable.is_silent:
            self.has_given_up = True
        else:
            await self.transport.close(code, reason)

    async def deliver(self) -> None:
        held, self._held = self._held, []
        try:
            for frame in held:
                await self.transport.send(frame)
        except TransportClosed:
            return


class Network:
    """Who dials while it is down or silent waits until it is not."""

    def __init__(self) -> None:
        self._is_up = asyncio.Event()
        self._is_up.set()
        self._to_server: dict[Cable, None] = {}
        self._to_edges: dict[Cable, None] = {}

    @property
    def is_up(self) -> bool:
        return self._is_up.is_set()

    async def dial(self) -> Cable:
        """A new connection to the server, as soon as there is a network to have it on."""
        return await self._connected(self._to_server)

    async def dial_edge(self) -> Cable:
        """A new connection to an edge, which outlives the server."""
        return await self._connected(self._to_edges)

    def hang_up(self, cable: Cable) -> None:
        """Forget a connection that both ends are done with, or that only a healed network will end."""
        if not cable.is_silent:
            self._to_server.pop(cable, None)
            self._to_edges.pop(cable, None)

    def go_down(self) -> None:
        """Every connection breaks, and both ends know."""
        self._is_up.clear()
        for cable in self._cables():
            cable.cut()

    def lose_connections(self) -> None:
        """Every connection to the server breaks, and new ones can be made at once, as when the server dies."""
        for cable in self._to_server:
            cable.cut()

    def fall_silent(self) -> None:
        """Nothing gets through any more, and nobody is told."""
        self._is_up.clear()
        for cable in self._cables():
            cable.is_silent = True

    async def come_back(self) -> None:
        for cable in self._cables():
            await cable.speak_again()
            if cable.agent_end.has_given_up:
                self.hang_up(cable)
        self._is_up.set()

    def _cables(self) -> list[Cable]:
        return [*self._to_server, *self._to_edges]

    async def _connected(self, cables: dict[Cable, None]) -> Cable:
        await self._is_up.wait()
        cable = Cable()
        cables[cable] = None
        return cable
