"""The contracts of organizations, members, the audit log and remembered requests."""

from dataclasses import replace

import pytest
from tests.contracts.store import NOW, Store, a_tenant, a_user, an_actor, an_entry, an_id, an_organization

from spunto.core.access.model import OrgId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import Conflict, NotFound, StaleVersion
from spunto.core.kernel.idempotency import REMEMBERED_FOR, IdempotencyKey
from spunto.core.kernel.paging import PageRequest
from spunto.core.orgs.model import Member, Membership, OrganizationView


class OrganizationRepositoryContract:
    async def test_an_organization_comes_back_whole(self, store: Store) -> None:
        organization = an_organization()
        async with store() as tx:
            await tx.organizations.add(organization)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.organizations.get(a_tenant(organization.id)) == organization

    async def test_an_unknown_organization_is_not_found(self, store: Store) -> None:
        async with store.reading() as tx:
            with pytest.raises(NotFound) as caught:
                await tx.organizations.get(a_tenant())

        assert caught.value.code == "organization_not_found"

    async def test_a_slug_belongs_to_one(self, store: Store) -> None:
        organization = an_organization()
        async with store() as tx:
            await tx.organizations.add(organization)
            await tx.commit()

        with pytest.raises(Conflict) as caught:
            async with store() as tx:
                await tx.organizations.add(an_organization(slug=organization.slug))

        assert caught.value.code == "slug_taken"

    async def test_an_actor_lists_its_own_newest_first(self, store: Store) -> None:
        mine, foreign, newer = an_organization(), an_organization(), an_organization()
        async with store() as tx:
            for organization in (mine, foreign, newer):
                await tx.organizations.add(organization)
            await tx.commit()

        actor = an_actor(mine.id, newer.id)
        async with store.reading() as tx:
            page = await tx.organizations.list_of(actor, PageRequest(limit=1))
            rest = await tx.organizations.list_of(actor, PageRequest(limit=1, before=page.next_before))

        assert page.items == [OrganizationView(organization=newer, role=Role.ADMIN)]
        assert rest.items == [OrganizationView(organization=mine, role=Role.ADMIN)]
        assert rest.next_before is None


class MemberRepositoryContract:
    async def test_a_user_comes_back_whole(self, store: Store) -> None:
        user = a_user()
        async with store() as tx:
            await tx.members.add_user(user)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.members.get_user(user.id) == user
            assert await tx.members.find_user_by_email(user.email) == user
            assert await tx.members.find_user_by_email("nobody@host") is None

    async def test_an_unknown_user_is_not_found(self, store: Store) -> None:
        async with store.reading() as tx:
            with pytest.raises(NotFound) as caught:
                await tx.members.get_user(a_user().id)

        assert caught.value.code == "user_not_found"

    async def test_an_address_belongs_to_one_user(self, store: Store) -> None:
        user = a_user()
        async with store() as tx:
            await tx.members.add_user(user)
            with pytest.raises(Conflict) as caught:
                await tx.members.add_user(a_user(email=user.email))

        assert caught.value.code == "email_taken"

    async def test_nobody_is_a_member_twice(self, store: Store) -> None:
        membership = Membership(org_id=OrgId(an_id("org")), user_id=a_user().id, role=Role.OWNER, joined_at=NOW)
        async with store() as tx:
            await tx.members.add(membership)
            with pytest.raises(Conflict) as caught:
                await tx.members.add(replace(membership, role=Role.MEMBER))

        assert caught.value.code == "member_already"

    async def test_members_are_listed_of_the_tenant_alone(self, store: Store) -> None:
        tenant, user, newer, stranger = a_tenant(), a_user(), a_user(), a_user()
        homes = {user.id: tenant.org_id, newer.id: tenant.org_id, stranger.id: a_tenant().org_id}
        async with store() as tx:
            for person in (user, newer, stranger):
                await tx.members.add_user(person)
                await tx.members.add(
                    Membership(org_id=homes[person.id], user_id=person.id, role=Role.MEMBER, joined_at=NOW)
                )
            await tx.commit()

        async with store.reading() as tx:
            page = await tx.members.list(tenant, PageRequest())

        assert list(page.items) == [Member(user=who, role=Role.MEMBER, joined_at=NOW) for who in (newer, user)]


class AuditLogContract:
    async def test_the_newest_entries_of_the_tenant_come_first(self, store: Store) -> None:
        tenant = a_tenant()
        entries = [an_entry(tenant) for _ in range(3)]
        async with store() as tx:
            for entry in (*entries, an_entry(a_tenant())):
                await tx.audit.add(entry)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.audit.list(tenant, limit=2) == entries[:0:-1]


class IdempotencyRepositoryContract:
    async def test_a_request_is_remembered_for_a_day(self, store: Store) -> None:
        key = IdempotencyKey(key="k", fingerprint=b"\x00f")
        async with store() as tx:
            await tx.idempotency.add("scope", key, "wkr_1", now=NOW)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.idempotency.find("scope", key, now=NOW) == ("wkr_1", b"\x00f")
            assert await tx.idempotency.find("another", key, now=NOW) is None
            assert await tx.idempotency.find("scope", key, now=NOW + REMEMBERED_FOR) is None

    async def test_the_second_of_two_equal_requests_lost_the_race(self, store: Store) -> None:
        key = IdempotencyKey(key="k", fingerprint=b"f")
        async with store() as tx:
            await tx.idempotency.add("scope", key, "wkr_1", now=NOW)
            await tx.commit()

        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.idempotency.add("scope", key, "wkr_2", now=NOW)

    async def test_a_forgotten_key_may_be_used_again(self, store: Store) -> None:
        key, tomorrow = IdempotencyKey(key="k", fingerprint=b"f"), NOW + REMEMBERED_FOR
        async with store() as tx:
            await tx.idempotency.add("scope", key, "wkr_1", now=NOW)
            await tx.commit()

        async with store() as tx:
            await tx.idempotency.add("scope", key, "wkr_2", now=tomorrow)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.idempotency.find("scope", key, now=tomorrow) == ("wkr_2", b"f")
