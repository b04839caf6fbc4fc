"""Edges between several servers of one Postgres: what one server changes, an edge of the other is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fixtures.waiting import eventually
from tests.unit.core.routes.edge_door import HELLO

from spunto.core.access.model import OrgId
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.model import NodeId
from spunto.core.protocol import closing
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.events import Closed
from spunto.core.protocol.messages import Desired, Observed, ObservedItem, Phase, StateMessage
from spunto.core.protocol.pipe import memory_transport_pair
from spunto.core.routes.desired import EDGE_SESSION, ROUTE, RouteSpec, RouteState, Sharing
from spunto.core.routes.model import ROUTES_TOPIC, Route, Standing
from spunto.entrypoints.library import Spunto

pytestmark = pytest.mark.postgres

WORKER = "wkr_01j00000000000000000000001"
# What has to reach every edge in time, whether or not a hint gets through.
IN_TIME_SECONDS = 5.0


class Edge:
    """One connection, and what it was told."""

    def __init__(self) -> None:
        self.held: dict[str, RouteSpec] = {}
        self.generations: dict[str, int] = {}
        self._told = asyncio.Event()
        self.connection: Connection
        self.running: asyncio.Task[Closed]

    async def connect(self, spunto: Spunto, token: Secret, tasks: asyncio.TaskGroup) -> None:
        edge_end, server_end = memory_transport_pair()
        self.connection = Connection.agent(
            edge_end, clock=SystemClock(), hello=HELLO, on_message=self._take, settings=EDGE_SESSION
        )
        self.running = tasks.create_task(self.connection.run())
        tasks.create_task(spunto.edge_gateway.serve(server_end, token))
        await self.connection.ready()

    async def sharing_is(self, sharing: Sharing | None) -> None:
        async with asyncio.timeout(IN_TIME_SECONDS):
            while self.sharing is not sharing:
                self._told.clear()
                await self._told.wait()

    @property
    def sharing(self) -> Sharing | None:
        return self.held[WORKER].sharing_of(3000) if WORKER in self.held else None

    async def _take(self, connection: Connection, message: StateMessage) -> None:
        if not isinstance(message, Desired):
            return
        if message.whole:
            self.held.clear()
        for item in message.items:
            if item.kind != ROUTE:
                continue
            self.held.pop(item.id, None)
            if item.spec is not None:
                self.held[item.id] = RouteSpec.from_json(item.spec)
            applied = ObservedItem(
                kind=ROUTE, id=item.id, generation=item.generation, phase=Phase.RUNNING, at=datetime.now(UTC)
            )
            connection.send(Observed(epoch=connection.epoch, items=(applied,)))
        self._told.set()


@pytest.fixture(params=[True, False], ids=["hints", "polling"])
async def servers(
    request: pytest.FixtureRequest, postgres_database: str, tmp_path: Path
) -> AsyncIterator[tuple[Spunto, Spunto]]:
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(
                Spunto.on_database(postgres_database, keyring=tmp_path / "keyring", notify=request.param)
            )
            for _ in range(2)
        ]
        yield opened[0], opened[1]


async def test_what_one_server_changes_an_edge_of_the_other_is_told_and_says_so(
    servers: tuple[Spunto, Spunto],
) -> None:
    here, other = servers
    _, token = await here.edges.create("front")
    async with asyncio.TaskGroup() as tasks:
        edge = Edge()
        await edge.connect(here, token, tasks)

        route = a_route()
        await put(other, route)
        await edge.sharing_is(Sharing.OWNER)
        shared = await put(other, route.sharing_as(3000, Sharing.PUBLIC, at=datetime.now(UTC)))
        await edge.sharing_is(Sharing.PUBLIC)
        await applied(other, shared.generation)
        gone = shared.standing_as(
            Standing(state=RouteState.GONE, reason="destroyed", node_id=NodeId("nod_1")), at=datetime.now(UTC)
        )
        await put(other, gone)
        await edge.sharing_is(None)

        edge.connection.close(closing.NORMAL, "stopped")


async def test_an_edge_that_comes_to_another_server_is_told_everything_and_its_older_connection_ends(
    servers: tuple[Spunto, Spunto],
) -> None:
    here, other = servers
    _, token = await here.edges.create("front")
    await put(here, a_route())
    async with asyncio.TaskGroup() as tasks:
        older, newer = Edge(), Edge()
        await older.connect(here, token, tasks)
        await older.sharing_is(Sharing.OWNER)

        await newer.connect(other, token, tasks)

        await newer.sharing_is(Sharing.OWNER)
        async with asyncio.timeout(3 * IN_TIME_SECONDS):
            assert (await older.running).code == closing.SUPERSEDED
        newer.connection.close(closing.NORMAL, "stopped")


def a_route() -> Route:
    return Route(
        id=WORKER,
        org_id=OrgId("org_1"),
        owner_id="usr_1",
        index=1,
        standing=Standing(state=RouteState.UP, reason="ready", node_id=NodeId("nod_1")),
        changed_at=datetime.now(UTC),
    )


async def put(spunto: Spunto, route: Route) -> Route:
    async with spunto._store() as tx:
        if route.generation == 1:
            await tx.routes.add(route)
            after = route
        else:
            after = await tx.routes.update(route)
        tx.hint(ROUTES_TOPIC)
        await tx.commit()
    return after


async def applied(spunto: Spunto, generation: int) -> None:
    await eventually(lambda: spunto.edges.is_applied(WORKER, generation), seconds=IN_TIME_SECONDS, what="applied")
