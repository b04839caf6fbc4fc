"""The contract of workers."""

from dataclasses import replace
from typing import Any

import pytest

from spunto.core.access.model import ApiKeyId
from spunto.core.kernel.errors import Conflict, NotFound, StaleVersion
from spunto.core.kernel.paging import Order, PageRequest
from spunto.core.kernel.problem import Problem
from spunto.core.nodes.model import NodeId
from spunto.core.specs.worker import Power, WorkerSpec
from spunto.core.workers.listing import WorkerFilter
from spunto.core.workers.model import Activity, DockerState, WayBack, Worker, WorkerState
from spunto.testing.contracts.store import LATER, NOW, Store, a_tenant, a_worker, node_in, project_in


class WorkerRepositoryContract:
    async def test_a_worker_comes_back_whole(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        worker = a_worker(
            project,
            user_id=None,
            api_key_id=ApiKeyId("key_1"),
            branch="main",
            env={"A": "1"},
            granted=("B", "C"),
            way_back=WayBack(
                spec=WorkerSpec(
                    org_id="org_1",
                    image="image:1",
                    made_in=1,
                    power=Power.RUNNING,
                    cpu_millis=1,
                    memory_bytes=1,
                    pids=1,
                ),
                project_version=3,
                granted=("B",),
            ),
            container_id="c",
            docker_state=DockerState.RUNNING,
            setup={"phase": "ready", "timings": {"total": 1.5}, "repos": [{"name": "r"}]},
            problem=Problem(code="image_not_found", message="Ünknown"),
            stopped_at=LATER,
            tags=("ci", "team=a"),
            metadata={"pr": 7, "nested": {"a": [1]}},
            last_activity=Activity.EXEC,
        )
        async with store() as tx:
            await tx.workers.add(worker)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.workers.get(tenant, worker.id) == worker
            assert await tx.workers.find(worker.id) == worker

    async def test_a_foreign_worker_is_as_unknown_as_a_missing_one(self, store: Store) -> None:
        project = await project_in(store, a_tenant())
        foreign, tenant = a_worker(project), a_tenant()
        async with store() as tx:
            await tx.workers.add(foreign)
            await tx.commit()

        async with store.reading() as tx:
            for worker_id in (foreign.id, a_worker(project).id):
                with pytest.raises(NotFound) as caught:
                    await tx.workers.get(tenant, worker_id)
                assert caught.value.code == "worker_not_found"
            assert (await tx.workers.list(tenant, project.id, PageRequest())).items == []
            assert await tx.workers.find(a_worker(project).id) is None

    async def test_a_name_belongs_to_one_worker_of_a_project(self, store: Store) -> None:
        tenant = a_tenant()
        project, other = await project_in(store, tenant), await project_in(store, tenant)
        worker = a_worker(project)
        async with store() as tx:
            await tx.workers.add(worker)
            await tx.workers.add(a_worker(other, name=worker.name))
            await tx.commit()

        with pytest.raises(Conflict) as caught:
            async with store() as tx:
                await tx.workers.add(a_worker(project, name=worker.name))

        assert caught.value.code == "worker_name_taken"

    async def test_an_update_counts_the_version_up(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        worker = a_worker(project)
        async with store() as tx:
            await tx.workers.add(worker)
            moved = worker.moved(WorkerState.READY, at=LATER)
            after = await tx.workers.update(moved)
            await tx.commit()

        assert after == replace(moved, version=2)
        async with store.reading() as tx:
            assert await tx.workers.get(tenant, worker.id) == after

    async def test_renaming_to_a_taken_name_conflicts(self, store: Store) -> None:
        project = await project_in(store, a_tenant())
        first, second = a_worker(project), a_worker(project)

        async with store() as tx:
            await tx.workers.add(first)
            await tx.workers.add(second)
            with pytest.raises(Conflict) as caught:
                await tx.workers.update(replace(second, name=first.name))

        assert caught.value.code == "worker_name_taken"

    async def test_a_stale_version_conflicts(self, store: Store) -> None:
        worker = a_worker(await project_in(store, a_tenant()))
        async with store() as tx:
            await tx.workers.add(worker)
            await tx.workers.update(worker)
            await tx.commit()

        for change in ("update", "remove"):
            with pytest.raises(StaleVersion):
                async with store() as tx:
                    await getattr(tx.workers, change)(worker)

    async def test_a_removed_worker_is_gone_and_its_name_free(self, store: Store) -> None:
        project = await project_in(store, a_tenant())
        worker = a_worker(project)
        async with store() as tx:
            await tx.workers.add(worker)
            await tx.workers.remove(worker)
            await tx.workers.add(a_worker(project, name=worker.name))
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.workers.find(worker.id) is None

    async def test_a_list_tells_whose_node_is_connected(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        here, away = await node_in(store, tenant), await node_in(store, tenant, connected=False)
        nodes = (here.id, away.id, NodeId("nod_none"))
        workers = [a_worker(project, node_id=node_id) for node_id in nodes]
        async with store() as tx:
            for worker in workers:
                await tx.workers.add(worker)
            await tx.commit()

        async with store.reading() as tx:
            listed = (await tx.workers.list(tenant, project.id, PageRequest())).items

        assert [(each.worker, each.is_connected) for each in listed][::-1] == list(
            zip(workers, (True, False, False), strict=True)
        )

    async def test_a_list_tells_the_newest_version_of_each_project(self, store: Store) -> None:
        tenant = a_tenant()
        project, other = await project_in(store, tenant), await project_in(store, tenant)
        async with store() as tx:
            await tx.projects.update(replace(project, number=3))
            for each in (project, other):
                await tx.workers.add(a_worker(each))
            await tx.commit()

        async with store.reading() as tx:
            listed = (await tx.workers.list(tenant, None, PageRequest())).items

        assert {each.worker.project_id: each.newest_version for each in listed} == {project.id: 3, other.id: 1}

    async def test_a_list_shows_every_committed_change_and_no_other(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        first, second = a_worker(project), a_worker(project)
        async with store() as tx:
            await tx.workers.add(first)
            await tx.workers.add(second)
            await tx.commit()

        async def listed() -> list[Worker]:
            async with store.reading() as tx:
                return [each for each, *_ in (await tx.workers.list(tenant, project.id, PageRequest())).items]

        assert await listed() == [second, first]
        async with store() as tx:
            lost = await tx.workers.update(replace(second, name="lost"))
            page = await tx.workers.list(tenant, project.id, PageRequest())
        assert [each for each, *_ in page.items] == [lost, first]
        async with store() as tx:
            kept = await tx.workers.update(replace(second, name="kept"))
            await tx.workers.remove(first)
            await tx.commit()
        assert await listed() == [kept]

    async def test_a_list_that_is_asked_again_tells_what_became_of_nodes_and_projects(self, store: Store) -> None:
        tenant = a_tenant()
        project, node = await project_in(store, tenant), await node_in(store, tenant)
        worker = a_worker(project, node_id=node.id)
        async with store() as tx:
            await tx.workers.add(worker)
            await tx.commit()

        async def listed() -> list[tuple[Worker, bool, int]]:
            async with store.reading() as tx:
                items = (await tx.workers.list(tenant, project.id, PageRequest())).items
            return [(each.worker, each.is_connected, each.newest_version) for each in items]

        assert await listed() == await listed() == [(worker, True, 1)]
        async with store() as tx:
            await tx.nodes.update(node.disconnected(epoch=node.epoch, at=LATER))
            await tx.commit()
        assert await listed() == [(worker, False, 1)]
        async with store() as tx:
            await tx.projects.update(replace(project, number=2))
            await tx.commit()
        assert await listed() == [(worker, False, 2)]

    async def test_a_list_is_of_those_that_are_all_of_what_is_asked(self, store: Store) -> None:
        tenant = a_tenant()
        project, other = await project_in(store, tenant), await project_in(store, tenant)
        first = a_worker(project, tags=("ci", "team=a"), state=WorkerState.READY)
        second = a_worker(project, tags=("CI", "c", "team_a"))
        third = a_worker(other, tags=("ci",), name=first.name, node_id=NodeId("nod_x"))
        async with store() as tx:
            for worker in (first, second, third):
                await tx.workers.add(worker)
            await tx.commit()

        async def listed(page: PageRequest | None = None, **asked: Any) -> list[Worker]:
            async with store.reading() as tx:
                found = await tx.workers.list(tenant, None, page or PageRequest(), WorkerFilter(**asked))
            return [each for each, *_ in found.items]

        assert await listed() == [third, second, first]
        assert await listed(PageRequest(order=Order.OLDEST)) == [first, second, third]
        assert await listed(PageRequest(order=Order.OLDEST, before=first.id)) == [second, third]
        assert await listed(tag="ci") == [third, first]
        assert await listed(tag="c") == [second]
        assert await listed(tag="team_a") == [second]
        assert await listed(tag="ci", project_id=project.id) == [first]
        assert await listed(name=first.name, node_id=NodeId("nod_x")) == [third]
        assert await listed(state=WorkerState.READY, user_id=first.user_id) == [first]

    async def test_a_list_by_name_is_paged_either_way_by_code_points(self, store: Store) -> None:
        tenant = a_tenant()
        project, other = await project_in(store, tenant), await project_in(store, tenant)
        names = ["b", "a", "B", "é", "z", "a b", "a-b", "_", "𝒳"]
        workers = [a_worker(project, name=name) for name in names] + [a_worker(other, name="a")]
        async with store() as tx:
            for worker in workers:
                await tx.workers.add(worker)
            await tx.commit()
        in_order = sorted(workers, key=lambda worker: (worker.name, worker.id))

        async def listed(order: Order) -> list[Worker]:
            found: list[Worker] = []
            before: str | None = None
            while True:
                async with store.reading() as tx:
                    page = await tx.workers.list(tenant, None, PageRequest(limit=3, before=before, order=order))
                found += [each for each, *_ in page.items]
                before = page.next_before
                if before is None:
                    return found

        assert await listed(Order.NAME) == in_order
        assert await listed(Order.NAME_BACKWARDS) == in_order[::-1]

    async def test_pages_are_stable_while_rows_are_added(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        workers = [a_worker(project, created_at=NOW) for _ in range(5)]
        async with store() as tx:
            for worker in workers:
                await tx.workers.add(worker)
            await tx.commit()

        async with store() as tx:
            page = await tx.workers.list(tenant, project.id, PageRequest(limit=2))
            await tx.workers.add(a_worker(project))
            await tx.commit()
        async with store.reading() as tx:
            rest = await tx.workers.list(tenant, project.id, PageRequest(limit=3, before=page.next_before))

        assert [each for each, *_ in [*page.items, *rest.items]] == workers[::-1]
        assert rest.next_before is None
