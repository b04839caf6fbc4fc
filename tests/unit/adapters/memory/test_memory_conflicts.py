"""Of two memory transactions that overlap, the later commit loses where they changed the same thing."""

from dataclasses import replace

import pytest

from spunto.adapters.memory.store import MemoryStore
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Conflict, StaleVersion
from spunto.core.kernel.wakeups import Wakeups
from spunto.testing.contracts.store import A_DEMAND, NOW, a_project, a_tenant, a_worker, node_in, project_in


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(Wakeups(ManualClock()))


async def test_of_two_updates_of_one_row_the_later_commit_loses(store: MemoryStore) -> None:
    project = await project_in(store, a_tenant())

    async with store() as first, store() as second:
        await first.projects.update(replace(project, description="first"))
        await second.projects.update(replace(project, description="second"))
        await second.due.add("worker", "wkr_1", at=NOW)
        await first.commit()
        with pytest.raises(StaleVersion):
            await second.commit()

    assert await store.queue.next_due_at("worker") is None


async def test_of_two_takers_of_one_name_the_later_commit_loses(store: MemoryStore) -> None:
    tenant = a_tenant()

    async with store() as first, store() as second:
        await first.projects.add(a_project(tenant, name="same"))
        await second.projects.add(a_project(tenant, name="same"))
        await first.commit()
        with pytest.raises(StaleVersion):
            await second.commit()


async def test_the_last_room_is_given_once(store: MemoryStore) -> None:
    tenant = a_tenant()
    node = await node_in(store, tenant)

    async with store() as first, store() as second:
        for tx in (first, second):
            assert await tx.nodes.reserve_least_loaded(tenant.org_id, A_DEMAND, among=None) == node.id
        await first.commit()
        with pytest.raises(StaleVersion):
            await second.commit()


async def test_counters_and_other_writers_of_a_row_do_not_meet(store: MemoryStore) -> None:
    tenant = a_tenant()
    node, project = await node_in(store, tenant), await project_in(store, tenant)

    async with store() as counting, store() as updating:
        await counting.nodes.reserve(node.id, A_DEMAND)
        await counting.projects.next_index(project.id)
        await updating.nodes.update(replace(node, draining=True))
        await updating.projects.update(replace(project, description="changed"))
        await counting.commit()
        await updating.commit()

    async with store.reading() as tx:
        assert await tx.nodes.find(node.id) == replace(node, draining=True, reserved=A_DEMAND, assignments=1, version=2)
        assert await tx.projects.get(tenant, project.id) == replace(
            project, description="changed", workers_made=1, version=2
        )


async def test_a_worker_and_the_removal_of_its_project_do_not_both_commit(store: MemoryStore) -> None:
    tenant = a_tenant()
    removed, used = await project_in(store, tenant), await project_in(store, tenant)

    async with store() as adding, store() as removing:
        await adding.workers.add(a_worker(removed))
        await removing.projects.remove(removed)
        await removing.commit()
        with pytest.raises(StaleVersion):
            await adding.commit()

    async with store() as adding, store() as removing:
        await removing.projects.remove(used)
        await adding.workers.add(a_worker(used))
        await adding.commit()
        with pytest.raises(Conflict) as caught:
            await removing.commit()
    assert caught.value.code == "project_in_use"
