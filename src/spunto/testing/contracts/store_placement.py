"""The contract of reserving room on nodes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spunto.core.access.model import Tenant
from spunto.core.kernel.problem import Problem
from spunto.core.kernel.uow import retried
from spunto.core.nodes.model import Agent, Capacity, Demand, Disk, Node, NodeId
from spunto.core.scheduling.placement import Request, placement_for
from spunto.testing.contracts.store import A_DEMAND, Store, a_node, a_tenant, node_in

CALLERS = 32
# The store of a test is shared by its examples, which keep to an organization each; and each adapter runs this class.
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
PROBLEM = Problem(code="gone", message="It is gone.")
# One is another but for a character that patterns take for any, and one is the end of another.
WORDS = ["kind:a_b", "kind:a-b", "b"]
A_BROKEN_ENGINE = Agent(version="1", instance_id="i", engine="docker", engine_version="", engine_problem=PROBLEM)
A_FULL_DISK = Agent(
    version="1",
    instance_id="i",
    engine="docker",
    engine_version="20",
    disk=Disk(total_bytes=100, free_bytes=4, reserve_bytes=5),
)
TENANT = a_tenant()


def an_agent(*capabilities: str) -> Agent:
    return Agent(version="1", instance_id="i", engine="docker", engine_version="20", capabilities=capabilities)


# Few figures, so that ties and exact fits are frequent.
amounts = st.sampled_from([0, 500, 1000])
capacities = st.builds(
    Capacity,
    cpu_millis=st.sampled_from([1000, 2000, 3000]),
    memory_bytes=st.sampled_from([1000, 2000, 3000]),
    max_worker_cpu_millis=st.sampled_from([500, 3000, 3000]),
)
demands = st.builds(Demand, cpu_millis=amounts, memory_bytes=amounts)
flaws = st.sampled_from(
    [
        *[{}] * 8,
        {"draining": True},
        {"connected": False},
        {"epoch": 0},
        {"quarantine": PROBLEM},
        {"capacity": None},
        {"agent": None},
        {"agent": an_agent("kind:a_b", "b")},
        {"agent": an_agent("kind:a-b")},
        {"agent": A_BROKEN_ENGINE},
        {"agent": A_FULL_DISK},
    ]
)
loads = st.fixed_dictionaries({"reserved": demands, "assignments": st.integers(0, 2), "capacity": capacities})
changes = st.builds(lambda load, flaw: load | flaw, loads, flaws)


class PlacementContract:
    @settings(deadline=None, max_examples=60, suppress_health_check=SHARED)
    @given(
        changed=st.lists(changes, max_size=5),
        demanded=st.lists(demands, min_size=1, max_size=5),
        requires=st.frozensets(st.sampled_from(WORDS), max_size=2),
        data=st.data(),
    )
    async def test_storage_chooses_as_the_rules_do(
        self,
        store: Store,
        changed: list[dict[str, Any]],
        demanded: list[Demand],
        requires: frozenset[str],
        data: st.DataObject,
    ) -> None:
        tenant = a_tenant()
        nodes = {node.id: node for node in (a_node(tenant, **fields) for fields in changed)}
        among = data.draw(st.none() | st.lists(st.sampled_from(sorted(nodes)))) if nodes else None
        async with store() as tx:
            for node in nodes.values():
                await tx.nodes.add(node)
            await tx.commit()

        async with store() as tx:
            for demand in demanded:
                candidates = [node for node in nodes.values() if among is None or node.id in among]
                chosen = await tx.nodes.reserve_least_loaded(tenant.org_id, demand, requires=requires, among=among)

                assert chosen == placement_for(Request(demand=demand, requires=requires), candidates)
                if chosen is not None:
                    nodes[chosen] = _loaded(nodes[chosen], demand)
            assert await tx.nodes.all_of(tenant) == list(nodes.values())

    @settings(deadline=None, max_examples=40, suppress_health_check=SHARED)
    @given(before=changes, became=changes, beside=changes, demand=demands)
    async def test_an_updated_node_is_judged_by_what_it_became(
        self, store: Store, before: dict[str, Any], became: dict[str, Any], beside: dict[str, Any], demand: Demand
    ) -> None:
        tenant = a_tenant()
        node, other = await node_in(store, tenant, **before), await node_in(store, tenant, **beside)
        updated = replace(node, **{**became, "reserved": node.reserved, "assignments": node.assignments})
        async with store() as tx:
            await tx.nodes.update(updated)
            await tx.commit()

        async with store() as tx:
            chosen = await tx.nodes.reserve_least_loaded(tenant.org_id, demand, among=None)
        async with store() as tx:
            reserved = await tx.nodes.reserve(node.id, demand)

        assert chosen == placement_for(Request(demand=demand), [updated, other])
        assert reserved is (placement_for(Request(demand=demand), [updated]) is not None)

    async def test_a_node_that_shrank_is_more_loaded(self, store: Store) -> None:
        tenant = a_tenant()
        large = Capacity(cpu_millis=9000, memory_bytes=9 * 1024**3, max_worker_cpu_millis=9000)
        shrinking = await node_in(store, tenant, capacity=large, reserved=A_DEMAND)
        other = await node_in(store, tenant, capacity=replace(large, cpu_millis=8000), reserved=A_DEMAND)
        for cpu_millis, memory_bytes in ((4000, 9 * 1024**3), (9000, 4 * 1024**3)):
            async with store() as tx:
                shrunk = replace(large, cpu_millis=cpu_millis, memory_bytes=memory_bytes)
                await tx.nodes.update(replace(shrinking, capacity=shrunk))

                assert await tx.nodes.reserve_least_loaded(tenant.org_id, A_DEMAND, among=None) == other.id

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
