"""The contract of workers that are gone."""

from datetime import timedelta
from typing import Any

import pytest

from spunto.core.access.model import Tenant
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.paging import Order, PageRequest
from spunto.core.kernel.problem import Problem
from spunto.core.projects.model import Project
from spunto.core.workers.listing import WorkerFilter
from spunto.core.workers.model import Worker, WorkerState
from spunto.testing.contracts.store import LATER, NOW, Store, a_tenant, a_worker, project_in


class DestroyedWorkersContract:
    async def test_one_comes_back_as_it_was_in_the_end_and_its_name_is_free(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        worker = a_worker(
            project, env={"A": "1"}, tags=("ci",), metadata={"pr": 1}, problem=Problem(code="a", message="b")
        )
        gone = await _gone(store, worker)

        async with store() as tx:
            await tx.workers.add(a_worker(project, name=worker.name))
            assert await tx.destroyed.get(tenant, worker.id) == gone
            with pytest.raises(NotFound):
                await tx.workers.get(tenant, worker.id)
            with pytest.raises(NotFound) as caught:
                await tx.destroyed.get(a_tenant(), worker.id)

        assert caught.value.code == "worker_not_found"
        assert (gone.state, gone.state_since, gone.env) == (WorkerState.DESTROYED, LATER, {})

    async def test_a_list_is_narrowed_and_paged_as_that_of_those_that_stand(self, store: Store) -> None:
        tenant = a_tenant()
        project, other = await project_in(store, tenant), await project_in(store, tenant)
        first = await _gone(store, a_worker(project, tags=("ci", "x")))
        second = await _gone(store, a_worker(other, tags=("ci",)))
        await _gone(store, a_worker(await project_in(store, a_tenant())))

        async def listed(project: Project | None = None, page: PageRequest | None = None, **asked: Any) -> list[Worker]:
            async with store.reading() as tx:
                project_id = None if project is None else project.id
                found = await tx.destroyed.list(tenant, project_id, page or PageRequest(), WorkerFilter(**asked))
            return [*found.items]

        assert await listed() == [second, first]
        assert await listed(page=PageRequest(order=Order.OLDEST, limit=1)) == [first]
        assert await listed(page=PageRequest(before=second.id)) == [first]
        by_name = sorted([first, second], key=lambda worker: (worker.name, worker.id))
        assert await listed(page=PageRequest(order=Order.NAME)) == by_name
        assert await listed(other) == [second]
        assert await listed(tag="x") == [first]
        assert await listed(state=WorkerState.READY) == []
        assert await listed(state=WorkerState.DESTROYED, name=second.name) == [second]

    async def test_the_oldest_are_forgotten_some_at_a_time(self, store: Store) -> None:
        tenant: Tenant = a_tenant()
        project = await project_in(store, tenant)
        for _ in range(2):
            await _gone(store, a_worker(project))

        async with store() as tx:
            counts = [
                await tx.destroyed.prune(before=before, limit=limit)
                for before, limit in ((NOW, 9), (LATER + timedelta(seconds=1), 1), (LATER + timedelta(seconds=1), 9))
            ]
            left = await tx.destroyed.list(tenant, None, PageRequest())
            await tx.commit()

        assert (counts[0], counts[1], left.items) == (0, 1, [])


async def _gone(store: Store, worker: Worker) -> Worker:
    """Added, and destroyed at LATER."""
    async with store() as tx:
        await tx.workers.add(worker)
        await tx.workers.remove(worker)
        gone = worker.destroyed(at=LATER)
        await tx.destroyed.add(gone)
        await tx.commit()
    return gone
