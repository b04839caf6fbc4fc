"""The contract of routes, and of edges with what they have applied."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spunto.core.kernel.errors import Conflict, StaleVersion
from spunto.core.nodes.model import NodeId
from spunto.core.routes.desired import RouteState, Sharing
from spunto.core.routes.model import Edge, EdgeId, Route, Standing
from spunto.testing.contracts.store import LATER, NOW, Store, a_tenant, an_id

LIMIT = 10_000


class RouteRepositoryContract:
    async def test_a_route_comes_back_as_it_was_put(self, store: Store) -> None:
        route = a_route(sharing={3000: Sharing.PUBLIC, 8080: Sharing.ORG})
        await added(store, route)

        assert await found(store, route.id) == route
        assert await found(store, an_id("wkr")) is None

    async def test_a_change_is_the_next_version_and_a_stale_one_is_refused(self, store: Store) -> None:
        route = a_route()
        await added(store, route)
        changed = route.sharing_as(3000, Sharing.ORG, at=LATER)

        async with store() as tx:
            after = await tx.routes.update(changed)
            await tx.commit()

        assert after == replace(changed, version=2)
        assert await found(store, route.id) == after
        async with store() as tx:
            with pytest.raises(StaleVersion):
                await tx.routes.update(changed)

    async def test_routes_are_fetched_by_their_subjects(self, store: Store) -> None:
        one, other = a_route(), a_route()
        await added(store, one, other)

        async with store.reading() as tx:
            several = await tx.routes.of_subjects([one.id, other.id, an_id("wkr")])

        assert sorted(several, key=lambda route: route.id) == [one, other]

    async def test_generations_are_told_of_all_and_of_those_that_changed_since(self, store: Store) -> None:
        old, new = a_route(generation=3), a_route(changed_at=LATER, generation=7)
        await added(store, old, new)

        async with store.reading() as tx:
            everything, changed = await tx.routes.generations(), await tx.routes.generations(since=LATER)

        assert {each: everything.get(each) for each in (old.id, new.id)} == {old.id: 3, new.id: 7}
        assert new.id in changed
        assert old.id not in changed

    async def test_what_is_gone_for_long_is_forgotten_with_what_was_applied_of_it(self, store: Store) -> None:
        edge = an_edge()
        gone, fresh, standing = a_route(GONE), a_route(GONE, changed_at=LATER), a_route()
        await added(store, gone, fresh, standing)
        await registered(store, edge)
        await applied(store, edge, {gone.id: 1, fresh.id: 1})

        async with store() as tx:
            assert await tx.routes.prune_gone(before=LATER, limit=LIMIT) >= 1
            await tx.commit()

        assert [await found(store, each.id) for each in (gone, fresh, standing)] == [None, fresh, standing]
        async with store.reading() as tx:
            assert await tx.edges.acknowledged(edge.id) == {fresh.id: 1}

    async def test_only_so_many_are_forgotten_at_once(self, store: Store) -> None:
        await added(store, a_route(GONE), a_route(GONE))

        async with store() as tx:
            assert await tx.routes.prune_gone(before=LATER, limit=1) == 1


class EdgeRepositoryContract:
    async def test_an_edge_comes_back_as_it_was_put(self, store: Store) -> None:
        edge, bare = an_edge(url="wss://one", epoch=3, seen_at=NOW, lease_until=LATER), an_edge()
        await registered(store, edge, bare)

        async with store.reading() as tx:
            assert [await tx.edges.find(each) for each in (edge.id, bare.id, EdgeId("edg_none"))] == [edge, bare, None]
            assert [each for each in await tx.edges.all() if each in (edge, bare)] == [edge, bare]

    async def test_a_name_is_taken_once(self, store: Store) -> None:
        edge = an_edge()
        await registered(store, edge)

        async with store() as tx:
            with pytest.raises(Conflict) as caught:
                await tx.edges.add(an_edge(name=edge.name))

        assert caught.value.code == "edge_name_taken"

    async def test_a_change_is_the_next_version_and_a_stale_one_is_refused(self, store: Store) -> None:
        edge = an_edge()
        await registered(store, edge)
        connected = edge.connected_anew(url="wss://one", at=NOW, lease_until=LATER)

        async with store() as tx:
            after = await tx.edges.update(connected)
            await tx.commit()

        assert after == replace(connected, version=2)
        async with store() as tx:
            with pytest.raises(StaleVersion):
                await tx.edges.update(connected)

    async def test_only_its_newest_connection_renews_the_lease(self, store: Store) -> None:
        edge = an_edge(epoch=2, lease_until=NOW)
        await registered(store, edge)

        async with store() as tx:
            asked = ((edge.id, 2), (edge.id, 1), (EdgeId("edg_none"), 2))
            renewed = [await tx.edges.renew(each, epoch=epoch, at=NOW, until=LATER) for each, epoch in asked]
            await tx.commit()

        assert renewed == [True, False, False]
        async with store.reading() as tx:
            assert await tx.edges.find(edge.id) == replace(edge, seen_at=NOW, lease_until=LATER)

    async def test_a_removed_edge_is_gone_with_what_it_had_applied_and_its_name_is_free(self, store: Store) -> None:
        edge, route = an_edge(lease_until=LATER), a_route()
        await added(store, route)
        await registered(store, edge)
        await applied(store, edge, {route.id: 1})

        async with store() as tx:
            assert [await tx.edges.remove(edge.id) for _ in range(2)] == [True, False]
            await tx.edges.add(replace(edge, id=EdgeId(an_id("edg"))))
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.edges.find(edge.id) is None
            assert await tx.edges.acknowledged(edge.id) == {}

    async def test_what_is_applied_is_overwritten_and_kept_apart_from_others(self, store: Store) -> None:
        one, other, route, more = an_edge(), an_edge(), a_route(), a_route()
        await registered(store, one, other)
        await applied(store, one, {route.id: 1, more.id: 4})
        await applied(store, one, {route.id: 2})
        await applied(store, other, {})

        async with store.reading() as tx:
            assert await tx.edges.acknowledged(one.id) == {route.id: 2, more.id: 4}
            assert await tx.edges.acknowledged(other.id) == {}

    async def test_a_generation_is_applied_when_every_living_edge_has_it_or_a_later_one(self, store: Store) -> None:
        one, other, dead = an_edge(lease_until=LATER), an_edge(lease_until=LATER), an_edge(lease_until=NOW)
        route = a_route()
        await registered(store, one, other, dead)

        async def is_applied(generation: int) -> bool:
            async with store.reading() as tx:
                return await tx.edges.is_applied(route.id, generation, now=NOW)

        assert not await is_applied(1)
        await applied(store, one, {route.id: 2})
        assert not await is_applied(1)
        await applied(store, other, {route.id: 1})
        assert [await is_applied(generation) for generation in (1, 2)] == [True, False]
        async with store.reading() as tx:
            assert await tx.edges.is_applied(route.id, 2, now=LATER + timedelta(seconds=1))


UP = Standing(state=RouteState.UP, reason="ready", node_id=NodeId("nod_1"))
GONE = replace(UP, state=RouteState.GONE, reason="destroyed")


def a_route(standing: Standing = UP, **changes: Any) -> Route:
    tenant = a_tenant()
    fields: dict[str, Any] = {
        "id": an_id("wkr"),
        "org_id": tenant.org_id,
        "owner_id": "usr_1",
        "index": 3,
        "standing": standing,
        "changed_at": NOW,
    }
    return Route(**fields | changes)


def an_edge(**changes: Any) -> Edge:
    edge_id = an_id("edg")
    fields: dict[str, Any] = {
        "id": EdgeId(edge_id),
        "name": edge_id,
        "token_hash": b"\x00\xff",
        "created_at": NOW,
    }
    return Edge(**fields | changes)


async def added(store: Store, *routes: Route) -> None:
    async with store() as tx:
        for route in routes:
            await tx.routes.add(route)
        await tx.commit()


async def registered(store: Store, *edges: Edge) -> None:
    async with store() as tx:
        for edge in edges:
            await tx.edges.add(edge)
        await tx.commit()


async def applied(store: Store, edge: Edge, generations: dict[str, int]) -> None:
    async with store() as tx:
        await tx.edges.acknowledge(edge.id, generations)
        await tx.commit()


async def found(store: Store, subject_id: str) -> Route | None:
    async with store.reading() as tx:
        return await tx.routes.find(subject_id)
