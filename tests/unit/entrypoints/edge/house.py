"""An edge's gate before the whole product on memory: real routes, real answers, a real session between the two."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie

from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.log import silent
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.transport import Transport
from spunto.core.routes.hosts import slug_of
from spunto.core.workers.views import WorkerView
from spunto.entrypoints.edge.activity import ActivityLog
from spunto.entrypoints.edge.clients import Clients
from spunto.entrypoints.edge.failures import Failures
from spunto.entrypoints.edge.gate import Gate
from spunto.entrypoints.edge.grants import Grants
from spunto.entrypoints.edge.parking import Parking
from spunto.entrypoints.edge.reaching import Reaching
from spunto.entrypoints.edge.relay_door import RelayDoor
from spunto.entrypoints.edge.relays import Relays
from spunto.entrypoints.edge.routes import RouteTable
from spunto.entrypoints.edge.seams import Answer, Forward, Handover, RequestHead, Target, Upstream
from spunto.entrypoints.edge.server_link import ServerLink
from spunto.entrypoints.edge.tickets import Tickets
from spunto.entrypoints.edge.tunnels import Tunnels
from spunto.entrypoints.edge.visits import Doors
from spunto.entrypoints.serving.crowd import Crowd
from spunto.testing.harness import Harness
from spunto.testing.network import Cable

PORT = 3000
NAVIGATION = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "accept": "text/html"}


async def nobody() -> Upstream:
    raise Unavailable("server_away", "Nobody serves here.")


SERVER = Target(key="server", connect=nobody)


class Listening:
    """An upstream that says nothing."""

    def is_quiet(self) -> bool:
        return True

    async def read(self) -> bytes | None:
        return None

    async def write(self, data: bytes) -> None: ...

    async def write_eof(self) -> None: ...

    def reset(self, code: str, message: str = "") -> None: ...

    async def aclose(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class House:
    harness: Harness
    gate: Gate
    worker: WorkerView
    routes: RouteTable
    link: ServerLink
    cables: list[Cable]
    asked_ports: list[int] = field(default_factory=list)
    upstream: Callable[[], Upstream] = Listening
    listens_at: float = float("inf")
    is_server_away: bool = False

    def host(self, port: int | str = PORT, *, worker: WorkerView | None = None) -> str:
        found = (worker or self.worker).worker
        return f"{slug_of(found.index, found.id)}-{port}.w.localhost"

    async def ask(
        self, host: str, target: str = "/", *, method: str = "GET", peer: str = "192.0.2.1", **headers: str
    ) -> Forward | Answer | Handover:
        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        head = RequestHead(
            method=method.encode(),
            target=target.encode(),
            version=b"1.1",
            headers=[(b"host", host.encode()), *given],
            host=host,
            peer=peer,
            is_tls=False,
            wants_upgrade="upgrade" in headers,
        )
        return await self.gate.decide(head)

    async def answer(
        self, host: str, target: str = "/", *, method: str = "GET", peer: str = "192.0.2.1", **headers: str
    ) -> Answer:
        found = await self.ask(host, target, method=method, peer=peer, **headers)
        assert isinstance(found, Answer), found
        return found

    async def forward(self, host: str, target: str = "/", *, method: str = "GET", **headers: str) -> Forward:
        found = await self.ask(host, target, method=method, **headers)
        assert isinstance(found, Forward), found
        return found

    async def settle(self) -> None:
        """Until the edge has heard of everything."""
        await self.harness.settle()


def location_of(answer: Answer) -> str:
    return next(value.decode() for name, value in answer.headers if name == b"location")


def cookies_of(answer: Answer | Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    headers = answer.headers if isinstance(answer, Answer) else answer
    jar: SimpleCookie = SimpleCookie()
    for name, value in headers:
        if name == b"set-cookie":
            jar.load(value.decode())
    return {name: each.value for name, each in jar.items()}


@asynccontextmanager
async def a_house() -> AsyncIterator[House]:
    async with Harness() as harness, asyncio.TaskGroup() as group:
        await harness.add_node("one")
        project = await harness.add_project()
        spawned = await harness.spawn(project)
        await harness.settle()
        worker = await harness.worker(project, spawned.worker.id)
        _, token = await harness.spunto.edges.create("edge")
        cables: list[Cable] = []

        async def dial() -> Transport:
            if house.is_server_away:
                raise Unavailable("server_away", "It is away.")
            cable = Cable()
            cables[:] = [cable]
            group.create_task(harness.spunto.edge_gateway.serve(cable.server_end, token))
            return cable.agent_end

        async def connect(node_id: str, subject_id: str, port: int) -> Upstream:
            house.asked_ports.append(port)
            if harness.clock.monotonic() >= house.listens_at:
                return house.upstream()
            raise Unavailable("connection_refused", "Nobody listens.")

        clock, routes, tickets = harness.clock, RouteTable(), Tickets(harness.clock)
        link = ServerLink(dial, url="http://edge.localhost", routes=routes, clock=clock, log=silent)

        async def ask_dial(node_id: str, ticket: Secret) -> None:
            raise Unavailable("dial_refused", "Nobody dials here.")

        grants = Grants(link, clock=clock)
        tunnels = Tunnels(crowd=Crowd(2, monotonic=clock.monotonic), clock=clock)
        doors = Doors(
            link=link,
            grants=grants,
            reaching=Reaching(routes, link, connect, parking=Parking(), clock=clock),
            activity=ActivityLog(link, clock=clock),
            clients=Clients(),
            tunnels=tunnels,
            failures=Failures(clock),
            clock=clock,
        )
        relays = Relays(ask_dial, edge_id="edge", clock=clock, tickets=tickets)
        gate = Gate(doors, server=SERVER, relays=RelayDoor(relays, tickets))
        house = House(harness=harness, gate=gate, worker=worker, routes=routes, link=link, cables=cables)
        loops = [
            group.create_task(link.run()),
            group.create_task(grants.run()),
            group.create_task(doors.activity.run()),
            group.create_task(tunnels.run()),
        ]
        await harness.settle()
        yield house
        for loop in loops:
            loop.cancel()
