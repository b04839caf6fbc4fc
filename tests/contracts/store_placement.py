"""The contract of reserving room on nodes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.store import A_DEMAND, Store, a_node, a_tenant, node_in

from spunto.core.access.model import Tenant
from spunto.core.kernel.uow import retried
from spunto.core.nodes.model import Agent, Capacity, Demand, Node, NodeId, Problem
from spunto.core.scheduling.placement import Request, placement_for

CALLERS = 32
# The store of a test is shared by its examples, which keep to an organization each; and each adapter runs this class.
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
PROBLEM = Problem(code="gone", message="It is gone.")
A_BROKEN_ENGINE = Agent(version="1", instance_id="i", engine="docker", engine_version="", engine_problem=PROBLEM)
TENANT = a_tenant()

# Few figures, so that ties and exact fits are frequent.
amounts = st.sampled_from([0, 1, 500, 999, 1000, 1001, 3000, 7000])
capacities = st.builds(
    Capacity,
    cpu_millis=st.sampled_from([1000, 3000, 7000]),
    memory_bytes=st.sampled_from([1000, 3000, 7000]),
    max_worker_cpu_millis=st.sampled_from([500, 1000, 7000]),
)
demands = st.builds(Demand, cpu_millis=amounts, memory_bytes=amounts)
changes = st.fixed_dictionaries(
    {"reserved": demands, "assignments": st.integers(0, 2), "capacity": st.none() | capacities},
    optional={
        "draining": st.just(value=True),
        "connected": st.just(value=False),
        "epoch": st.just(0),
        "quarantine": st.just(PROBLEM),
        "agent": st.sampled_from([None, A_BROKEN_ENGINE]),
    },
)


class PlacementContract:
    @settings(deadline=None, max_examples=40, suppress_health_check=SHARED)
    @given(changed=st.lists(changes, max_size=6), demand=demands, data=st.data())
    async def test_storage_chooses_as_the_rules_do(
        self, store: Store, changed: list[dict[str, Any]], demand: Demand, data: st.DataObject
    ) -> None:
        tenant = a_tenant()
        nodes = [a_node(tenant, **fields) for fields in changed]
        among = data.draw(st.none() | st.sets(st.sampled_from([node.id for node in nodes]))) if nodes else None
        candidates = [node for node in nodes if among is None or node.id in among]
        async with store() as tx:
            for node in nodes:
                await tx.nodes.add(node)
            await tx.commit()

        async with store() as tx:
            narrowed = None if among is None else sorted(among)
            chosen = await tx.nodes.reserve_least_loaded(tenant.org_id, demand, among=narrowed)
            after = {node.id: node for node in await tx.nodes.all_of(tenant)}

        assert chosen == placement_for(Request(demand=demand), candidates)
        assert after == {node.id: _loaded(node, demand) if node.id == chosen else node for node in nodes}

    @settings(deadline=None, max_examples=30, suppress_health_check=SHARED)
    @given(before=changes, fields=changes, demand=demands)
    async def test_an_updated_node_is_judged_by_what_it_became(
        self, store: Store, before: dict[str, Any], fields: dict[str, Any], demand: Demand
    ) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant, **before)
        async with store() as tx:
            became = replace(node, **{**fields, "reserved": node.reserved, "assignments": node.assignments})
            await tx.nodes.update(became)
            await tx.commit()
        fits = placement_for(Request(demand=demand), [became]) is not None

        async with store() as tx:
            assert await tx.nodes.reserve(node.id, demand) is fits

    async def test_another_organizations_node_is_never_chosen(self, store: Store) -> None:
        await node_in(store, a_tenant())

        async with store() as tx:
            assert await tx.nodes.reserve_least_loaded(TENANT.org_id, A_DEMAND, among=None) is None

    async def test_each_reservation_moves_the_next_choice(self, store: Store) -> None:
        tenant = a_tenant()
        first, second = await node_in(store, tenant), await node_in(store, tenant)

        chosen = [await _place(store, tenant) for _ in range(4)]

        assert chosen == [first.id, second.id, first.id, second.id]

    async def test_released_room_is_room_again(self, store: Store) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant)
        whole = Demand(cpu_millis=4000, memory_bytes=1)
        async with store() as tx:
            taken = [await tx.nodes.reserve(node.id, whole), await tx.nodes.reserve(node.id, A_DEMAND)]
            await tx.nodes.release(node.id, whole)
            await tx.commit()

        assert taken == [True, False]
        async with store.reading() as tx:
            assert await tx.nodes.find(node.id) == node
        assert await _place(store, tenant) == node.id

    async def test_nothing_is_reserved_on_an_unknown_node(self, store: Store) -> None:
        node = a_node(TENANT)

        async with store() as tx:
            await tx.nodes.release(node.id, A_DEMAND)
            assert await tx.nodes.reserve(node.id, A_DEMAND) is False

    @pytest.mark.parametrize("among", ["all", "one"])
    async def test_concurrent_callers_fill_the_nodes_and_overcommit_none(self, store: Store, among: str) -> None:
        tenant = a_tenant()
        nodes = [await node_in(store, tenant) for _ in range(3)]
        narrowed = None if among == "all" else [nodes[1].id]

        chosen = await asyncio.gather(*(_place(store, tenant, among=narrowed) for _ in range(CALLERS)))

        expected = nodes if narrowed is None else [nodes[1]]
        assert sorted(filter(None, chosen)) == sorted(node.id for node in expected for _ in range(4))

    async def test_concurrent_callers_of_one_node_overcommit_it_not(self, store: Store) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant)

        @retried
        async def reserve() -> bool:
            async with store() as tx:
                done = await tx.nodes.reserve(node.id, A_DEMAND)
                await tx.commit()
            return done

        assert sum(await asyncio.gather(*(reserve() for _ in range(CALLERS)))) == 4

    async def test_a_reservation_rolled_back_never_was(self, store: Store) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant)

        async with store() as tx:
            await tx.nodes.reserve_least_loaded(tenant.org_id, A_DEMAND, among=None)

        async with store.reading() as tx:
            assert await tx.nodes.find(node.id) == node


async def _place(store: Store, tenant: Tenant, *, among: list[NodeId] | None = None) -> NodeId | None:
    @retried
    async def place() -> NodeId | None:
        async with store() as tx:
            chosen = await tx.nodes.reserve_least_loaded(tenant.org_id, A_DEMAND, among=among)
            await tx.commit()
        return chosen

    return await place()


def _loaded(node: Node, demand: Demand) -> Node:
    reserved = Demand(
        cpu_millis=node.reserved.cpu_millis + demand.cpu_millis,
        memory_bytes=node.reserved.memory_bytes + demand.memory_bytes,
    )
    return replace(node, reserved=reserved, assignments=node.assignments + 1)
