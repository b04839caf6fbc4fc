"""The contracts of the audit log and the event feed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from spunto.core.access.model import OrgId
from spunto.core.access.policy import Action
from spunto.core.activity.events import Event, topic
from spunto.core.activity.model import AuditFilter, Outcome
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.uow import retried
from spunto.core.kernel.wakeups import Wakeups
from spunto.testing.contracts.store import LATER, NOW, Store, a_tenant, an_entry, an_event, an_organization


class AuditLogContract:
    async def test_the_newest_entries_of_the_tenant_come_first(self, store: Store) -> None:
        tenant = a_tenant()
        entries = [an_entry(tenant) for _ in range(3)]
        async with store() as tx:
            for entry in (*entries, an_entry(a_tenant())):
                await tx.audit.add(entry)
            await tx.commit()

        async with store.reading() as tx:
            page = await tx.audit.list(tenant, PageRequest(limit=2))
            rest = await tx.audit.list(tenant, PageRequest(limit=2, before=page.next_before))

        assert [*page.items, *rest.items] == entries[::-1]
        assert (len(page.items), rest.next_before) == (2, None)

    @pytest.mark.parametrize(
        "matching",
        [
            AuditFilter(actor_id="usr_2"),
            AuditFilter(action=Action.NODE_DRAIN),
            AuditFilter(target_id="nod_1"),
            AuditFilter(outcome=Outcome.REFUSED),
            AuditFilter(since=LATER),
            AuditFilter(actor_id="usr_2", action=Action.NODE_DRAIN, outcome=Outcome.REFUSED, since=NOW),
        ],
    )
    async def test_a_filter_leaves_what_it_asks_for(self, store: Store, matching: AuditFilter) -> None:
        tenant = a_tenant()
        wanted = an_entry(
            tenant,
            actor_id="usr_2",
            action=Action.NODE_DRAIN,
            target_id="nod_1",
            outcome=Outcome.REFUSED,
            at=LATER,
        )
        async with store() as tx:
            for entry in (an_entry(tenant), wanted, an_entry(tenant)):
                await tx.audit.add(entry)
            await tx.commit()

        async with store.reading() as tx:
            assert (await tx.audit.list(tenant, PageRequest(), matching)).items == [wanted]

    async def test_until_is_no_part_of_what_is_found(self, store: Store) -> None:
        tenant, earlier = a_tenant(), NOW - timedelta(microseconds=1)
        before, at = an_entry(tenant, at=earlier), an_entry(tenant, at=NOW)
        async with store() as tx:
            await tx.audit.add(before)
            await tx.audit.add(at)
            await tx.commit()

        async with store.reading() as tx:
            assert (await tx.audit.list(tenant, PageRequest(), AuditFilter(until=NOW))).items == [before]

    async def test_what_happens_to_no_organization_is_passed_over_and_what_is_known_stays_one(
        self, store: Store
    ) -> None:
        organization = an_organization()
        tenant, stranger = a_tenant(organization.id), a_tenant()
        known = an_entry(tenant)
        async with store() as tx:
            await tx.organizations.add(organization)
            await tx.audit.add_where_known([known, an_entry(stranger)])
            await tx.commit()

        async with store() as tx:
            await tx.audit.add_where_known([known])
            await tx.commit()

        async with store.reading() as tx:
            assert (await tx.audit.list(tenant, PageRequest())).items == [known]
            assert (await tx.audit.list(stranger, PageRequest())).items == []


class EventFeedContract:
    async def test_events_are_numbered_by_organization_in_the_order_of_their_commits(self, store: Store) -> None:
        mine, other = OrgId("org_1"), OrgId("org_2")
        first, second, third, foreign = (an_event(org_id) for org_id in (mine, mine, mine, other))

        await _told(store, first)
        await _told(store, foreign, second, third)

        async with store.reading() as tx:
            assert await tx.events.after(mine, 0, limit=9) == _numbered(first, second, third)
            assert await tx.events.after(mine, 1, limit=1) == _numbered(first, second)[1:]
            assert await tx.events.after(other, 0, limit=9) == _numbered(foreign)
            assert (await tx.events.last(mine), await tx.events.last(other)) == (3, 1)
            assert await tx.events.last(OrgId("org_3")) == 0

    async def test_without_commit_nothing_was_said_and_no_number_is_lost(self, store: Store) -> None:
        org_id = OrgId("org_1")
        async with store() as tx:
            await tx.events.add(an_event(org_id))

        event = an_event(org_id)
        await _told(store, event)

        async with store.reading() as tx:
            assert await tx.events.after(org_id, 0, limit=9) == _numbered(event)

    async def test_a_commit_hints_the_organization(self, store: Store, wakeups: Wakeups) -> None:
        hinted: list[str] = []
        for org_id in (OrgId("org_1"), OrgId("org_2")):
            wakeups.listen(topic(org_id), lambda org_id=org_id: hinted.append(org_id))  # type: ignore[misc]

        await _told(store, an_event(OrgId("org_1")))

        assert hinted == ["org_1"]

    async def test_numbers_become_visible_in_their_order(self, store: Store) -> None:
        """Whatever the writers do, a reader that goes on from the last number it has seen misses none."""
        org_id, seen = OrgId("org_1"), list[int]()
        writers, each = 8, 12

        @retried
        async def tell() -> None:
            async with store() as tx:
                await tx.events.add(an_event(org_id))
                await asyncio.sleep(0)
                await tx.events.add(an_event(org_id))
                await tx.commit()

        async def write() -> None:
            for _ in range(each):
                await tell()

        async def read() -> None:
            while len(seen) < writers * each * 2:
                async with store.reading() as tx:
                    seen.extend(event.sequence for event in await tx.events.after(org_id, len(seen), limit=50))
                await asyncio.sleep(0)

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(read())
            for _ in range(writers):
                group.create_task(write())

        assert seen == list(range(1, writers * each * 2 + 1))

    async def test_pruning_takes_the_oldest_and_keeps_the_count(self, store: Store) -> None:
        org_id = OrgId("org_1")
        old, older, young = (an_event(org_id, at=at) for at in (NOW, NOW - timedelta(hours=1), LATER))
        await _told(store, older, old, young)

        async with store() as tx:
            pruned = [await tx.events.prune(before=LATER, limit=1), await tx.events.prune(before=LATER, limit=9)]
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.events.after(org_id, 0, limit=9) == _numbered(older, old, young)[2:]
            assert (pruned, await tx.events.last(org_id)) == ([1, 1], 3)

    async def test_no_number_comes_again_when_all_events_are_forgotten(self, store: Store) -> None:
        org_id = OrgId("org_1")
        await _told(store, an_event(org_id), an_event(org_id))
        async with store() as tx:
            assert await tx.events.prune(before=LATER, limit=9) == 2
            await tx.commit()
        async with store.reading() as tx:
            assert await tx.events.last(org_id) == 2

        next_one = an_event(org_id)
        await _told(store, next_one)

        async with store.reading() as tx:
            assert await tx.events.after(org_id, 2, limit=9) == [replace(next_one, sequence=3)]


async def _told(store: Store, *events: Event) -> None:
    async with store() as tx:
        for event in events:
            await tx.events.add(event)
        await tx.commit()


def _numbered(*events: Event) -> list[Event]:
    return [replace(event, sequence=number) for number, event in enumerate(events, 1)]
