"""The contract of units of work."""

import asyncio
from dataclasses import replace

import pytest

from spunto.core.kernel.errors import Conflict, StaleVersion
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.reconcile import topic
from spunto.core.kernel.uow import retried
from spunto.core.kernel.wakeups import Wakeups
from spunto.testing.contracts.store import NOW, Store, a_tenant, a_worker, an_entry, an_organization, project_in


class UnitOfWorkContract:
    async def test_what_is_committed_is_seen_by_the_next(self, store: Store) -> None:
        organization = an_organization()

        async with store() as tx:
            await tx.organizations.add(organization)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.organizations.find_by_slug(organization.slug) == organization

    async def test_it_is_writable_and_what_is_stored_stays_as_it_is(self, store: Store) -> None:
        organization = an_organization()
        async with store() as tx:
            await tx.organizations.add(organization)
            await tx.commit()

        await store.require_writable()

        async with store.reading() as tx:
            assert await tx.organizations.find_by_slug(organization.slug) == organization

    async def test_a_transaction_sees_its_own_changes(self, store: Store) -> None:
        organization = an_organization()

        async with store() as tx:
            await tx.organizations.add(organization)

            assert await tx.organizations.find_by_slug(organization.slug) == organization

    async def test_without_commit_nothing_happened(self, store: Store) -> None:
        tenant, organization = a_tenant(), an_organization()
        project = await project_in(store, tenant)

        async with store() as tx:
            await tx.organizations.add(organization)
            await tx.projects.update(replace(project, description="changed"))
            await tx.projects.next_index(project.id)
            await tx.audit.add(an_entry(tenant))
            await tx.due.add("worker", "wkr_1", at=NOW)

        async with store.reading() as tx:
            assert await tx.organizations.find_by_slug(organization.slug) is None
            assert await tx.projects.get(tenant, project.id) == project
            assert (await tx.audit.list(tenant, PageRequest(limit=9))).items == []
        assert await store.queue.next_due_at("worker") is None

    async def test_an_error_rolls_back(self, store: Store) -> None:
        organization = an_organization()

        async def fail() -> None:
            async with store() as tx:
                await tx.organizations.add(organization)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()

        async with store.reading() as tx:
            assert await tx.organizations.find_by_slug(organization.slug) is None

    async def test_after_a_conflict_the_store_works_on(self, store: Store) -> None:
        organization = an_organization()
        for _ in range(40):
            async with store() as tx:
                await tx.organizations.add(organization)
                with pytest.raises(Conflict):
                    await tx.organizations.add(replace(organization, id=an_organization().id))

        async with store() as tx:
            await tx.organizations.add(organization)
            await tx.commit()

    async def test_a_reader_neither_waits_for_an_open_transaction_nor_sees_it(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)

        async with store() as writer:
            await writer.projects.update(replace(project, description="changed"))
            async with store.reading() as reader:
                seen = await reader.projects.get(tenant, project.id)

        assert seen == project

    async def test_a_transaction_cancelled_half_way_holds_nothing_up(self, store: Store) -> None:
        organization = an_organization()
        reached = asyncio.Event()

        async def hang() -> None:
            async with store() as tx:
                await tx.organizations.add(organization)
                reached.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        async with store() as tx:
            await tx.organizations.add(organization)
            await tx.commit()

    async def test_hints_go_out_after_the_commit_and_not_before(self, store: Store, wakeups: Wakeups) -> None:
        heard: list[str] = []
        for name in ("grants", topic("worker")):
            wakeups.listen(name, lambda name=name: heard.append(name))  # type: ignore[misc]  # mypy can't infer it

        async with store() as tx:
            tx.hint("grants")
            await tx.due.add("worker", "wkr_1", at=NOW)
            before = list(heard)
            await tx.commit()

        assert before == []
        assert sorted(heard) == [topic("worker"), "grants"]

    async def test_without_commit_no_hint_goes_out(self, store: Store, wakeups: Wakeups) -> None:
        heard: list[str] = []
        wakeups.listen("grants", lambda: heard.append("grants"))

        async with store() as tx:
            tx.hint("grants")

        assert heard == []

    async def test_concurrent_writers_of_one_row_lose_no_update(self, store: Store) -> None:
        tenant = a_tenant()
        project = await project_in(store, tenant)

        @retried
        async def append(letter: str) -> None:
            async with store() as tx:
                current = await tx.projects.get(tenant, project.id)
                await tx.projects.update(replace(current, description=current.description + letter))
                await tx.commit()

        await asyncio.gather(*(append(letter) for letter in "abcd"))

        async with store.reading() as tx:
            assert sorted((await tx.projects.get(tenant, project.id)).description) == list("abcd")

    async def test_a_worker_of_a_project_removed_meanwhile_is_a_lost_race(self, store: Store) -> None:
        project = await project_in(store, a_tenant())
        async with store() as tx:
            await tx.projects.remove(project)
            await tx.commit()

        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.workers.add(a_worker(project))
