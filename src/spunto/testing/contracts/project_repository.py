"""The contract of projects and their versions."""

import asyncio
from dataclasses import replace

import pytest

from spunto.core.kernel.errors import Conflict, NotFound, StaleVersion
from spunto.core.kernel.paging import Order, PageRequest
from spunto.core.projects.listing import ProjectFilter
from spunto.core.projects.model import Environment
from spunto.testing.contracts.store import (
    LATER,
    Store,
    a_project,
    a_tenant,
    a_version,
    a_worker,
    project_in,
)

CALLERS = 16


class ProjectRepositoryContract:
    async def test_a_project_comes_back_whole(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant, tags=("ci", "team=a"), metadata={"pr": 7, "nested": {"a": [1]}})

        async with store.reading() as tx:
            assert await tx.projects.get(tenant, project.id) == project
            assert (await tx.projects.list(tenant, PageRequest())).items == [project]

    async def test_a_list_is_narrowed_by_all_that_is_said_and_goes_either_way(self, store: Store) -> None:
        tenant = a_tenant()
        first = await project_in(store, tenant, tags=("ci", "team=a"))
        second = await project_in(store, tenant, tags=("CI", "c", "team_a"))
        third = await project_in(store, tenant, tags=("ci",))
        await project_in(store, a_tenant(), name=first.name, tags=("ci",))
        asked = [
            ProjectFilter(tag="ci"),
            ProjectFilter(tag="team=a"),
            ProjectFilter(tag="team%a"),
            ProjectFilter(name=first.name),
            ProjectFilter(name=second.name, tag="ci"),
        ]

        async with store.reading() as tx:
            found = [(await tx.projects.list(tenant, PageRequest(), each)).items for each in asked]
            oldest = await tx.projects.list(tenant, PageRequest(limit=1, order=Order.OLDEST), ProjectFilter(tag="ci"))
            after = PageRequest(limit=1, before=oldest.next_before, order=Order.OLDEST)
            rest = await tx.projects.list(tenant, after, ProjectFilter(tag="ci"))

        assert found == [[third, first], [first], [], [first], []]
        assert (oldest.items, rest.items, rest.next_before) == ([first], [third], None)

    async def test_a_list_by_name_goes_either_way_by_code_points(self, store: Store) -> None:
        tenant = a_tenant()
        made = [await project_in(store, tenant, name=name, tags=("ci",)) for name in ("b", "a", "B", "é", "a b")]
        in_order = sorted(made, key=lambda each: each.name)

        async with store.reading() as tx:
            for order, expected in ((Order.NAME, in_order), (Order.NAME_BACKWARDS, in_order[::-1])):
                first = await tx.projects.list(tenant, PageRequest(limit=3, order=order), ProjectFilter(tag="ci"))
                rest = await tx.projects.list(tenant, PageRequest(limit=3, before=first.next_before, order=order))
                assert ([*first.items, *rest.items], rest.next_before) == (expected, None)

    async def test_a_foreign_project_is_as_unknown_as_a_missing_one(self, store: Store) -> None:
        foreign = await project_in(store, a_tenant())
        tenant = a_tenant()

        async with store.reading() as tx:
            for project_id in (foreign.id, a_project(tenant).id):
                with pytest.raises(NotFound) as caught:
                    await tx.projects.get(tenant, project_id)
                assert caught.value.code == "project_not_found"
            assert (await tx.projects.list(tenant, PageRequest())).items == []

    async def test_who_stands_behind_a_version_is_known(self, store: Store) -> None:
        project = await project_in(store, a_tenant())
        async with store() as tx:
            await tx.projects.add_version(a_version(project, 7, owner_id="usr_seven"))
            await tx.projects.add_version(a_version(project, 8, owner_id=""))
            await tx.commit()

        async with store.reading() as tx:
            found = [await tx.projects.maker_of(project.id, number) for number in (7, 8, 9)]

        assert found == ["usr_seven", None, None]

    async def test_projects_are_known_among_organizations(self, store: Store) -> None:
        tenant = a_tenant()
        own, foreign = await project_in(store, tenant), await project_in(store, a_tenant())

        async with store.reading() as tx:
            assert await tx.projects.among([tenant.org_id], [own.id, foreign.id, "prj_none"]) == {own.id}

    async def test_a_name_belongs_to_one_project_of_an_organization(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        async with store() as tx:
            await tx.projects.add(a_project(a_tenant(), name=project.name))
            await tx.commit()

        with pytest.raises(Conflict) as caught:
            async with store() as tx:
                await tx.projects.add(a_project(tenant, name=project.name))

        assert caught.value.code == "project_name_taken"

    async def test_renaming_frees_the_old_name_and_takes_the_new_one(self, store: Store) -> None:
        tenant = a_tenant()
        first, second = await project_in(store, tenant), await project_in(store, tenant)

        async with store() as tx:
            await tx.projects.update(replace(first, name="free"))
            await tx.projects.update(replace(second, name=first.name))
            await tx.commit()

        with pytest.raises(Conflict) as caught:
            async with store() as tx:
                await tx.projects.update(replace(second, name="free", version=2))
        assert caught.value.code == "project_name_taken"

    async def test_an_update_counts_the_version_up(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        changed = project.with_environment(Environment(image="other"), at=LATER)

        async with store() as tx:
            after = await tx.projects.update(changed)
            await tx.commit()

        assert after == replace(changed, version=2)
        async with store.reading() as tx:
            assert await tx.projects.get(tenant, project.id) == after

    async def test_a_stale_version_conflicts(self, store: Store) -> None:
        project = await project_in(store, a_tenant())
        async with store() as tx:
            await tx.projects.update(project)
            await tx.commit()

        for change in ("update", "remove"):
            with pytest.raises(StaleVersion):
                async with store() as tx:
                    await getattr(tx.projects, change)(project)

    async def test_indexes_are_given_out_once_and_disturb_no_writer(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)

        async def next_index() -> int:
            async with store() as tx:
                index = await tx.projects.next_index(project.id)
                await tx.commit()
            return index

        indexes = await asyncio.gather(*(next_index() for _ in range(CALLERS)))

        assert sorted(indexes) == list(range(1, CALLERS + 1))
        async with store() as tx:
            await tx.projects.update(project)
            await tx.commit()
        async with store.reading() as tx:
            assert (await tx.projects.get(tenant, project.id)).workers_made == CALLERS

    async def test_a_project_with_workers_stays(self, store: Store) -> None:
        project = await project_in(store, a_tenant())
        async with store() as tx:
            await tx.workers.add(a_worker(project))
            await tx.commit()

        with pytest.raises(Conflict) as caught:
            async with store() as tx:
                await tx.projects.remove(project)

        assert caught.value.code == "project_in_use"

    async def test_a_removed_project_takes_its_versions_along(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        async with store() as tx:
            await tx.projects.add_version(a_version(project))
            await tx.projects.remove(project)
            await tx.commit()

        async with store() as tx:
            with pytest.raises(NotFound):
                await tx.projects.get_version(tenant, project.id, 1)
            await tx.projects.add(project)

    async def test_a_version_comes_back_whole(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        version = a_version(project, 2, restored_from=1)
        async with store() as tx:
            await tx.projects.add_version(version)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.projects.get_version(tenant, project.id, 2) == version
            for asker, number in ((tenant, 3), (a_tenant(), 2)):
                with pytest.raises(NotFound) as caught:
                    await tx.projects.get_version(asker, project.id, number)
                assert caught.value.code == "project_version_not_found"

    async def test_a_taken_version_number_is_a_lost_race(self, store: Store) -> None:
        project = await project_in(store, a_tenant())

        async with store() as tx:
            await tx.projects.add_version(a_version(project))
            with pytest.raises(StaleVersion):
                await tx.projects.add_version(a_version(project))

    async def test_versions_are_paged_by_number_newest_first(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)
        async with store() as tx:
            for number in range(1, 12):
                await tx.projects.add_version(a_version(project, number))
            await tx.commit()

        async with store.reading() as tx:
            page = await tx.projects.list_versions(tenant, project.id, limit=9, before=None)
            rest = await tx.projects.list_versions(tenant, project.id, limit=9, before=3)

        assert ([version.number for version in page.items], page.next_before) == (list(range(11, 2, -1)), "3")
        assert ([version.number for version in rest.items], rest.next_before) == ([2, 1], None)
