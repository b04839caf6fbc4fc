"""The server's end of edges' connections: whom it lets in, what it tells, and what it believes to be applied."""

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.core.builders import ORG
from tests.unit.core.memory import Memory
from tests.unit.core.routes.edge_door import ADDRESSES, EdgeDoor

from spunto.core.kernel.secret import Secret
from spunto.core.protocol import closing
from spunto.core.protocol.messages import Wanted
from spunto.core.routes.desired import KEY, SETTINGS, AddressesSpec, RouteSpec, RouteState, Sharing, keys_of
from spunto.core.routes.gateway import LEASE
from spunto.core.routes.model import Route
from spunto.core.routes.sync import COMPARE_SECONDS, LOOK_SECONDS
from spunto.core.specs.token import new_edge_token
from spunto.core.workers.model import WorkerId
from spunto.testing.settling import settle


@pytest.fixture
async def door(memory: Memory) -> AsyncIterator[EdgeDoor]:
    door = EdgeDoor(memory)
    yield door
    await door.close()


async def test_a_good_token_lets_the_edge_in_and_keeps_where_it_is_dialled(memory: Memory, door: EdgeDoor) -> None:
    made, token = await door.registry.create("front")

    edge = await door.connect(token)

    [known] = await door.registry.all()
    assert (edge.connection.epoch, known.epoch, known.url) == (1, 1, "wss://edge.example")
    assert edge.connection.welcome is not None
    assert edge.connection.welcome.node_id == made.id
    assert known.is_alive(memory.clock.now())


@pytest.mark.parametrize("spoil", [lambda _: "", lambda text: text[:-1], lambda text: text.replace("spe", "spn")])
async def test_no_other_token_gets_as_far_as_a_hello(door: EdgeDoor, spoil: "type[str]") -> None:
    _, token = await door.registry.create("front")

    edge = await door.connect(Secret(spoil(token.reveal())))

    assert (await edge.running).code == closing.UNAUTHENTICATED


async def test_a_well_formed_token_that_was_never_given_out_is_refused(door: EdgeDoor) -> None:
    made, _ = await door.registry.create("front")

    edge = await door.connect(new_edge_token(made.id))

    assert edge.connection.welcome is None
    assert edge.connection.closed is not None
    assert edge.connection.closed.code == closing.UNAUTHENTICATED


async def test_a_token_of_a_removed_edge_is_refused(door: EdgeDoor) -> None:
    _, token = await door.registry.create("front")
    await door.registry.remove("front")

    edge = await door.connect(token)

    assert (await edge.running).code == closing.UNAUTHENTICATED


async def test_it_is_told_everything_on_connect(memory: Memory, door: EdgeDoor) -> None:
    worker_id = await a_worker(memory)
    gone = await a_worker(memory)
    await memory.workers.destroy(memory.owner, ORG, None, gone)
    _, token = await door.registry.create("front")

    edge = await door.connect(token)

    route = await route_of(memory, worker_id)
    assert edge.said[0].whole
    assert edge.routes() == {worker_id: route.spec}
    settings = next(item for item in edge.items if item.kind == SETTINGS)
    keys = next(item for item in edge.items if item.kind == KEY)
    assert AddressesSpec.from_json(settings.spec or {}) == ADDRESSES
    assert keys_of(keys.secrets or {}) == (b"one",)


async def test_it_is_told_each_change_once(memory: Memory, door: EdgeDoor) -> None:
    _, token = await door.registry.create("front")
    edge = await door.connect(token)

    worker_id = await a_worker(memory)
    await settle()
    await memory.reported(worker_id)
    await settle()
    await memory.workers.stop(memory.owner, ORG, None, worker_id)
    await settle()
    await passed(memory, seconds=60)

    told = [RouteSpec.from_json(item.spec or {}).state for item in edge.items if item.id == worker_id]
    assert told == [RouteState.COMING, RouteState.UP, RouteState.DOWN]
    assert not any(desired.whole for desired in edge.said[1:])


async def test_it_is_told_of_what_is_gone(memory: Memory, door: EdgeDoor) -> None:
    worker_id = await a_worker(memory)
    _, token = await door.registry.create("front")
    edge = await door.connect(token)

    await memory.workers.destroy(memory.owner, ORG, None, worker_id)
    await settle()

    assert edge.items[-1].wanted is Wanted.ABSENT
    assert edge.routes() == {}


async def test_a_lost_hint_costs_seconds(memory: Memory, door: EdgeDoor) -> None:
    worker_id = await a_worker(memory)
    _, token = await door.registry.create("front")
    edge = await door.connect(token)

    await changed_unheard(memory, worker_id)
    await settle()
    assert edge.routes()[worker_id].sharing == {}
    await passed(memory, seconds=LOOK_SECONDS)

    assert edge.routes()[worker_id].sharing == {3000: Sharing.PUBLIC}


async def test_a_commit_that_was_very_late_is_found_by_comparing_everything(memory: Memory, door: EdgeDoor) -> None:
    worker_id = await a_worker(memory)
    _, token = await door.registry.create("front")
    edge = await door.connect(token)

    await changed_unheard(memory, worker_id, seconds_ago=300)
    await passed(memory, seconds=LOOK_SECONDS)
    assert edge.routes()[worker_id].sharing == {}
    await passed(memory, seconds=COMPARE_SECONDS)

    assert edge.routes()[worker_id].sharing == {3000: Sharing.PUBLIC}


async def test_a_forgotten_route_is_found_by_comparing_everything(memory: Memory, door: EdgeDoor) -> None:
    worker_id = await a_worker(memory)
    _, token = await door.registry.create("front")
    edge = await door.connect(token)

    async with memory.store() as tx:
        tx.routes.remove_of(ORG)
        await tx.commit()
    await passed(memory, seconds=COMPARE_SECONDS)

    assert edge.items[-1].id == worker_id
    assert edge.routes() == {}


async def test_a_new_key_of_passes_is_told_while_the_old_one_is_good(memory: Memory, door: EdgeDoor) -> None:
    _, token = await door.registry.create("front")
    edge = await door.connect(token)
    before = edge.items[-1].generation

    door.keys.keys = (b"two", b"one")
    await passed(memory, seconds=LOOK_SECONDS)

    told = edge.items[-1]
    assert keys_of(told.secrets or {}) == (b"two", b"one")
    assert told.generation > before


async def test_thousands_of_routes_come_as_one(memory: Memory, door: EdgeDoor) -> None:
    first = await route_of(memory, await a_worker(memory))
    async with memory.store() as tx:
        for number in range(5000):
            await tx.routes.add(replace(first, id=memory.ids.new("wkr"), index=number))
        await tx.commit()
    _, token = await door.registry.create("front")

    edge = await door.connect(token)

    assert len(edge.said) == 1
    assert len(edge.routes()) == 5001


async def test_what_an_edge_has_applied_is_kept(memory: Memory, door: EdgeDoor) -> None:
    worker_id = await a_worker(memory)
    _, token = await door.registry.create("front")
    edge = await door.connect(token)
    assert not await door.registry.is_applied(worker_id, 1)

    await edge.apply(memory, worker_id, 1)

    assert [await door.registry.is_applied(worker_id, generation) for generation in (1, 2)] == [True, False]


async def test_what_an_edge_was_never_told_it_has_not_applied(memory: Memory, door: EdgeDoor) -> None:
    worker_id = await a_worker(memory)
    _, token = await door.registry.create("front")
    edge = await door.connect(token)

    await edge.apply(memory, worker_id, 7)
    await edge.apply(memory, memory.ids.new("wkr"), 1)

    assert not await door.registry.is_applied(worker_id, 1)
    [known] = await door.registry.all()
    async with memory.store.reading() as tx:
        assert await tx.edges.acknowledged(known.id) == {}


async def test_a_lost_edge_counts_until_its_lease_ends(memory: Memory, door: EdgeDoor) -> None:
    """It may be serving still, by what it knew."""
    worker_id = await a_worker(memory)
    _, token = await door.registry.create("front")
    edge = await door.connect(token)

    edge.end.abort()
    await settle()
    assert not await door.registry.is_applied(worker_id, 1)
    memory.clock.advance(LEASE.total_seconds())

    assert await door.registry.is_applied(worker_id, 1)


async def test_an_edge_that_says_goodbye_counts_no_longer(memory: Memory, door: EdgeDoor) -> None:
    worker_id = await a_worker(memory)
    _, token = await door.registry.create("front")
    edge = await door.connect(token)

    edge.connection.close(closing.NORMAL, "stopped")
    await settle()

    assert await door.registry.is_applied(worker_id, 1)
    assert [each["event"] for each in door.logged] == ["edge_connected", "edge_disconnected"]


async def test_a_connected_edge_keeps_its_lease(memory: Memory, door: EdgeDoor) -> None:
    _, token = await door.registry.create("front")
    edge = await door.connect(token)

    await passed(memory, seconds=150)

    [known] = await door.registry.all()
    assert known.is_alive(memory.clock.now())
    assert edge.connection.closed is None


async def test_the_newer_of_two_edges_with_one_token_is_it_wherever_it_connects(memory: Memory, door: EdgeDoor) -> None:
    _, token = await door.registry.create("front")
    older = await door.connect(token)

    newer = await door.connect(token, gateway=door.another_server())

    assert (await older.running).code == closing.SUPERSEDED
    assert newer.connection.closed is None


async def test_a_removed_edge_is_cut_off(door: EdgeDoor) -> None:
    made, token = await door.registry.create("front")
    edge = await door.connect(token)

    await door.registry.remove(made.id)
    await settle()

    assert (await edge.running).code == closing.FORBIDDEN


async def passed(memory: Memory, *, seconds: float) -> None:
    """In steps, so that heartbeats are answered in time."""
    for _ in range(math.ceil(seconds / LOOK_SECONDS)):
        memory.clock.advance(LOOK_SECONDS)
        await settle()


async def a_worker(memory: Memory) -> WorkerId:
    await memory.add_node(memory.ids.new("nod"))
    project = await memory.add_project(memory.ids.new("prj"))
    return (await memory.workers.spawn(memory.owner, ORG, project.id)).worker.id


async def route_of(memory: Memory, worker_id: str) -> Route:
    async with memory.store.reading() as tx:
        route = await tx.routes.find(worker_id)
    assert route is not None
    return route


async def changed_unheard(memory: Memory, worker_id: str, *, seconds_ago: float = 0) -> None:
    """Somebody else's server shares a port, and no hint of it gets here."""
    at = memory.clock.now() - timedelta(seconds=seconds_ago)
    async with memory.store() as tx:
        route = await tx.routes.find(worker_id)
        assert route is not None
        await tx.routes.update(route.sharing_as(3000, Sharing.PUBLIC, at=at))
        await tx.commit()
