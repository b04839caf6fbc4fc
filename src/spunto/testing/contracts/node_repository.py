"""The contracts of nodes and of assignments."""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations_with_replacement
from typing import Any

import pytest

from spunto.core.kernel.errors import Conflict, NotFound, StaleVersion
from spunto.core.kernel.paging import Order, PageRequest
from spunto.core.kernel.problem import Problem
from spunto.core.nodes.assignment import Observation, Tombstone
from spunto.core.nodes.listing import NodeFilter
from spunto.core.nodes.model import Demand, NodeLimits, NodeStatus
from spunto.core.protocol.messages import Phase
from spunto.core.workers.assigned import spec_of
from spunto.testing.contracts.store import A_DEMAND, LATER, NOW, Store, a_node, a_tenant, an_assignment, node_in

STATUSES = list(NodeStatus)


class NodeRepositoryContract:
    async def test_a_node_comes_back_whole(self, store: Store) -> None:
        tenant = a_tenant()
        connected = await node_in(
            store,
            tenant,
            quarantine=Problem(code="flapping", message="Twice"),
            reserved=A_DEMAND,
            assignments=1,
            limits=NodeLimits(cpu_millis=2000),
            incompatible=Problem(code="agent_incompatible", message="Old"),
            deleting_at=LATER,
            tags=("ci", "team=a"),
            metadata={"rack": 7, "nested": {"a": [1]}},
        )
        fresh = await node_in(
            store, tenant, capacity=None, epoch=0, connected=False, connection_changed_at=None, agent=None
        )

        async with store.reading() as tx:
            assert await tx.nodes.get(tenant, connected.id) == connected
            assert await tx.nodes.find(fresh.id) == fresh
            assert await tx.nodes.all_of(tenant) == [connected, fresh]
            assert (await tx.nodes.list(tenant, PageRequest())).items == [fresh, connected]

    async def test_a_list_is_narrowed_by_all_that_is_said_and_goes_either_way(self, store: Store) -> None:
        tenant = a_tenant()
        first = await node_in(store, tenant, tags=("ci", "team=a"))
        second = await node_in(store, tenant, tags=("CI", "c", "team_a"))
        third = await node_in(store, tenant, tags=("ci",), connected=False)
        await node_in(store, a_tenant(), name=first.name, tags=("ci",))
        asked = [
            NodeFilter(tag="ci"),
            NodeFilter(tag="team=a"),
            NodeFilter(tag="team%a"),
            NodeFilter(name=first.name),
            NodeFilter(name=second.name, tag="ci"),
            NodeFilter(tag="ci", status=NodeStatus.OFFLINE),
        ]

        async with store.reading() as tx:
            found = [(await tx.nodes.list(tenant, PageRequest(), each)).items for each in asked]
            oldest = await tx.nodes.list(tenant, PageRequest(limit=1, order=Order.OLDEST), NodeFilter(tag="ci"))
            after = PageRequest(limit=1, before=oldest.next_before, order=Order.OLDEST)
            rest = await tx.nodes.list(tenant, after, NodeFilter(tag="ci"))

        assert found == [[third, first], [first], [], [first], [], [third]]
        assert (oldest.items, rest.items, rest.next_before) == ([first], [third], None)

    async def test_a_list_by_name_goes_either_way_by_code_points(self, store: Store) -> None:
        tenant = a_tenant()
        made = [await node_in(store, tenant, name=name, tags=("ci",)) for name in ("b", "a", "B", "é", "a b")]
        in_order = sorted(made, key=lambda each: each.name)

        async with store.reading() as tx:
            for order, expected in ((Order.NAME, in_order), (Order.NAME_BACKWARDS, in_order[::-1])):
                first = await tx.nodes.list(tenant, PageRequest(limit=3, order=order), NodeFilter(tag="ci"))
                rest = await tx.nodes.list(tenant, PageRequest(limit=3, before=first.next_before, order=order))
                assert ([*first.items, *rest.items], rest.next_before) == (expected, None)

    async def test_nodes_are_found_by_the_status_that_they_show(self, store: Store) -> None:
        tenant, problem = a_tenant(), Problem(code="a", message="b")
        agent = a_node(tenant).agent
        assert agent is not None
        without_engine = replace(agent, engine_problem=problem)
        # Every two things that could decide it, so that their order counts too.
        hindrances: list[dict[str, Any]] = [
            {"deleting_at": NOW},
            {"quarantine": problem},
            {"incompatible": problem},
            {"epoch": 0, "connected": False},
            {"connected": False},
            {"draining": True},
            {"agent": without_engine},
            {},
        ]
        pairs = [{**later, **first} for first, later in combinations_with_replacement(hindrances, 2)]
        nodes = [await node_in(store, tenant, **changes) for changes in pairs]

        async with store.reading() as tx:
            pages = {
                each: await tx.nodes.list(tenant, PageRequest(limit=200), NodeFilter(status=each)) for each in STATUSES
            }

        shown = {each: [node for node in reversed(nodes) if node.status is each] for each in STATUSES}
        assert {each: page.items for each, page in pages.items()} == shown

    async def test_a_foreign_node_is_as_unknown_as_a_missing_one(self, store: Store) -> None:
        foreign, tenant = await node_in(store, a_tenant()), a_tenant()

        async with store() as tx:
            for node_id in (foreign.id, a_node(tenant).id):
                with pytest.raises(NotFound) as caught:
                    await tx.nodes.get(tenant, node_id)
                assert caught.value.code == "node_not_found"
            assert await tx.nodes.all_of(tenant) == []
            assert await tx.nodes.find(a_node(tenant).id) is None

    async def test_a_name_belongs_to_one_node_of_an_organization(self, store: Store) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant)
        await node_in(store, a_tenant(), name=node.name)

        with pytest.raises(Conflict) as caught:
            await node_in(store, tenant, name=node.name)

        assert caught.value.code == "node_name_taken"

    async def test_an_update_writes_all_but_the_counters(self, store: Store) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant)
        changed = replace(node, name="other", draining=True, labels={}, token_hash=b"new", agent=None)
        changed = replace(changed, tags=("ci",), metadata={"rack": 7})
        async with store() as tx:
            await tx.nodes.reserve(node.id, A_DEMAND)
            after = await tx.nodes.update(replace(changed, reserved=Demand(cpu_millis=7, memory_bytes=7)))
            await tx.commit()

        assert after.version == 2
        async with store.reading() as tx:
            assert await tx.nodes.find(node.id) == replace(changed, version=2, reserved=A_DEMAND, assignments=1)

    async def test_a_stale_version_conflicts(self, store: Store) -> None:
        node = await node_in(store, a_tenant())
        async with store() as tx:
            await tx.nodes.update(node)
            await tx.commit()

        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.nodes.update(node)

    async def test_a_node_that_is_being_deleted_goes_with_the_last_thing_on_it(self, store: Store) -> None:
        tenant = a_tenant()
        kept, deleting = await node_in(store, tenant), await node_in(store, tenant, deleting_at=NOW)
        held = an_assignment(tenant, deleting.id)
        async with store() as tx:
            await tx.assignments.add(held)
            await tx.commit()

        async with store() as tx:
            before = [await tx.nodes.remove_emptied(each.id) for each in (kept, deleting)]
            await tx.assignments.remove(held, at=NOW)
            after = [await tx.nodes.remove_emptied(each.id) for each in (kept, deleting)]
            await tx.commit()

        assert (before, after) == ([False, False], [False, True])
        async with store.reading() as tx:
            assert await tx.nodes.all_of(tenant) == [kept]

    async def test_what_stands_on_a_node_that_is_away_takes_its_room_again_while_there_is_some(
        self, store: Store
    ) -> None:
        node = await node_in(store, a_tenant(), connected=False, draining=True)
        async with store() as tx:
            new = await tx.nodes.reserve(node.id, A_DEMAND)
            taken = [await tx.nodes.reserve_again(node.id, A_DEMAND) for _ in range(5)]
            await tx.commit()

        assert (new, taken) == (False, [True, True, True, True, False])

    async def test_a_node_that_others_changed_meanwhile_is_not_removed(self, store: Store) -> None:
        tenant = a_tenant()
        seen = await node_in(store, tenant)
        async with store() as tx:
            changed = await tx.nodes.update(replace(seen, name="changed"))
            await tx.commit()

        async with store() as tx:
            with pytest.raises(StaleVersion):
                await tx.nodes.remove(seen)

        async with store() as tx:
            await tx.nodes.remove(changed)
            with pytest.raises(StaleVersion):
                await tx.nodes.remove(changed)

    async def test_a_removed_node_takes_assignments_and_tombstones_along(self, store: Store) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant)
        standing, gone = an_assignment(tenant, node.id), an_assignment(tenant, node.id)
        async with store() as tx:
            await tx.assignments.add(standing)
            await tx.assignments.add(gone)
            await tx.assignments.remove(gone, at=NOW)
            await tx.commit()

        async with store() as tx:
            await tx.nodes.remove(node)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.nodes.find(node.id) is None
            assert await tx.assignments.find(standing.subject_id) is None
            assert await tx.assignments.buried(node.id, [gone.subject_id]) == {}


class AssignmentRepositoryContract:
    async def test_an_assignment_comes_back_whole(self, store: Store) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant)
        assignment = an_assignment(
            tenant,
            node.id,
            reserves=False,
            observed=Observation(
                generation=1,
                phase=Phase.FAILED,
                container_id="c",
                container_state="exited",
                exit_code=1,
                problem=Problem(code="image_not_found", message="no such image"),
                setup={"phase": "error"},
                at=NOW - timedelta(microseconds=1),
            ),
        )
        async with store() as tx:
            await tx.assignments.add(assignment)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.assignments.find(assignment.subject_id) == assignment
            assert await tx.assignments.find("wkr_unknown") is None

    async def test_a_subject_stands_once(self, store: Store) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant)
        assignment = an_assignment(tenant, node.id)

        async with store() as tx:
            await tx.assignments.add(assignment)
            with pytest.raises(Conflict) as caught:
                await tx.assignments.add(assignment)

        assert caught.value.code == "assignment_exists"

    async def test_assignments_come_by_node_and_by_subject(self, store: Store) -> None:
        tenant = a_tenant()
        node, other = await node_in(store, tenant), await node_in(store, tenant)
        first, second = an_assignment(tenant, node.id), an_assignment(tenant, node.id)
        elsewhere = an_assignment(tenant, other.id)
        async with store() as tx:
            for assignment in (elsewhere, second, first):
                await tx.assignments.add(assignment)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.assignments.of_node(node.id) == [first, second]
            asked = [elsewhere.subject_id, first.subject_id, "wkr_unknown"]
            assert await tx.assignments.of_subjects(asked) == [first, elsewhere]
            assert await tx.assignments.of_subjects([]) == []

    async def test_an_update_counts_the_version_up(self, store: Store) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant)
        assignment = an_assignment(tenant, node.id)
        asking = assignment.asking(replace(spec_of(assignment), image="other"), at=LATER)
        async with store() as tx:
            await tx.assignments.add(assignment)
            after = await tx.assignments.update(asking)
            await tx.commit()

        assert after == replace(asking, version=2)
        async with store.reading() as tx:
            assert await tx.assignments.find(assignment.subject_id) == after

    async def test_a_stale_version_conflicts(self, store: Store) -> None:
        tenant = a_tenant()
        node = await node_in(store, tenant)
        assignment = an_assignment(tenant, node.id)
        async with store() as tx:
            await tx.assignments.add(assignment)
            await tx.assignments.update(assignment)
            await tx.commit()

        async with store() as tx:
            with pytest.raises(StaleVersion):
                await tx.assignments.update(assignment)
            with pytest.raises(StaleVersion):
                await tx.assignments.remove(assignment, at=NOW)

    async def test_a_removed_assignment_leaves_a_tombstone_on_its_node(self, store: Store) -> None:
        tenant = a_tenant()
        node, other = await node_in(store, tenant), await node_in(store, tenant)
        assignment, standing = an_assignment(tenant, node.id), an_assignment(tenant, node.id)
        async with store() as tx:
            await tx.assignments.add(assignment)
            await tx.assignments.add(standing)
            await tx.assignments.remove(assignment, at=NOW)
            await tx.commit()

        asked = [assignment.subject_id, standing.subject_id, "wkr_unknown"]
        async with store.reading() as tx:
            assert await tx.assignments.find(assignment.subject_id) is None
            assert await tx.assignments.buried(node.id, asked) == {
                assignment.subject_id: Tombstone(
                    kind="worker", generation=assignment.generation, cause=assignment.cause
                )
            }
            assert await tx.assignments.buried(other.id, asked) == {}
