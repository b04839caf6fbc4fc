"""The front door of the harness's edge: the real one with its real rules, at a Unix socket of its own."""

import asyncio
import socket
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import httpx

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.log import silent
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.protocol.transport import Transport
from spunto.entrypoints.edge.activity import ActivityLog
from spunto.entrypoints.edge.clients import Clients
from spunto.entrypoints.edge.failures import Failures
from spunto.entrypoints.edge.gate import Gate
from spunto.entrypoints.edge.grants import Grants
from spunto.entrypoints.edge.http.front import Front
from spunto.entrypoints.edge.parking import Parking
from spunto.entrypoints.edge.reaching import Reaching
from spunto.entrypoints.edge.relay_door import RelayDoor
from spunto.entrypoints.edge.routes import RouteTable
from spunto.entrypoints.edge.seams import Target, Upstream
from spunto.entrypoints.edge.server_link import ServerLink
from spunto.entrypoints.edge.tunnels import Tunnels
from spunto.entrypoints.edge.visits import Doors
from spunto.entrypoints.serving.crowd import Crowd
from spunto.testing.edge import EDGE_URL, SimulatedEdge

Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
_MANY: Final = 1000


class SimulatedFront:
    """`attend` is the server's end of the edge's link; loops live until `aclose`."""

    def __init__(self, edge: SimulatedEdge, attend: Callable[[Transport], None], *, clock: Clock, spawn: Spawn) -> None:
        self._attend = attend
        self._clock = clock
        self._cable: MemoryTransport | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="spunto-")
        self._path = Path(self._directory.name) / "front"
        routes = RouteTable()
        self.link = ServerLink(self._dial, url=EDGE_URL, routes=routes, clock=clock, log=silent)
        crowd = Crowd(_MANY, monotonic=clock.monotonic)
        tunnels = Tunnels(crowd=crowd, clock=clock)
        grants, activity = Grants(self.link, clock=clock), ActivityLog(self.link, clock=clock)
        doors = Doors(
            link=self.link,
            grants=grants,
            reaching=Reaching(routes, self.link, edge.relays.connect, parking=Parking(), clock=clock),
            activity=activity,
            clients=Clients(),
            tunnels=tunnels,
            failures=Failures(clock),
            clock=clock,
        )
        gate = Gate(doors, server=Target(key="server", connect=_nowhere), relays=RelayDoor(edge.relays, edge.tickets))
        self._front = Front(gate, crowd=crowd)
        self._loops = [
            spawn(self.link.run(), "edge link"),
            spawn(grants.run(), "edge grants"),
            spawn(activity.run(), "edge activity"),
            spawn(tunnels.run(), "edge tunnels"),
        ]

    async def listen(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._path))
        await self._front.listen(listener)

    def visitor(self, url: str, token: Secret | None) -> httpx.AsyncClient:
        """A client at a host; nobody in particular where there is no token."""
        return httpx.AsyncClient(
            base_url=url,
            headers={} if token is None else {"Authorization": f"Bearer {token.reveal()}"},
            transport=httpx.AsyncHTTPTransport(uds=str(self._path)),
        )

    def lose_server(self) -> None:
        if self._cable is not None:
            self._cable.abort()

    async def aclose(self) -> None:
        await self._front.aclose()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._directory.cleanup()

    async def _dial(self) -> Transport:
        self._cable, theirs = memory_transport_pair()
        self._attend(theirs)
        return self._cable


async def _nowhere() -> Upstream:
    raise Unavailable("server_away", "In the harness the server has an address of its own: harness.client().")
