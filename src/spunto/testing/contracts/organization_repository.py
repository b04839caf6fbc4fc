"""The contracts of organizations, members and remembered requests."""

import asyncio
from dataclasses import replace

import pytest

from spunto.core.access.model import Actor, ActorKind, OrgId, Tenant, UserId
from spunto.core.access.policy import Role
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Conflict, NotFound, StaleVersion
from spunto.core.kernel.idempotency import REMEMBERED_FOR, IdempotencyKey, Remembered
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.paging import PageRequest
from spunto.core.orgs.members import MemberService
from spunto.core.orgs.model import Member, Membership, OrganizationView
from spunto.testing.contracts.store import (
    NOW,
    Store,
    a_node,
    a_tenant,
    a_user,
    a_worker,
    an_actor,
    an_id,
    an_organization,
    node_in,
    organization_in,
    project_in,
)


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

    async def test_another_name_and_slug_are_kept_and_the_old_slug_is_free(self, store: Store) -> None:
        before = await organization_in(store)

        async with store() as tx:
            after = await tx.organizations.update(replace(before, name="Other", slug=f"{before.slug}-other"))
            await tx.organizations.add(an_organization(slug=before.slug))
            await tx.commit()

        assert after == replace(before, name="Other", slug=f"{before.slug}-other", version=before.version + 1)
        async with store.reading() as tx:
            assert await tx.organizations.get(a_tenant(before.id)) == after

    async def test_a_slug_of_another_one_is_not_taken_over(self, store: Store) -> None:
        first, second = await organization_in(store), await organization_in(store)

        with pytest.raises(Conflict) as caught:
            async with store() as tx:
                await tx.organizations.update(replace(second, slug=first.slug))

        assert caught.value.code == "slug_taken"

    async def test_an_outdated_organization_is_neither_updated_nor_removed(self, store: Store) -> None:
        before = await organization_in(store)
        async with store() as tx:
            await tx.organizations.update(replace(before, name="Other"))
            await tx.commit()

        for change in ("update", "remove"):
            with pytest.raises(StaleVersion):
                async with store() as tx:
                    await getattr(tx.organizations, change)(before)

    async def test_what_it_holds_is_counted_of_the_tenant_alone(self, store: Store) -> None:
        tenant = a_tenant((await organization_in(store)).id)
        await node_in(store, a_tenant())
        async with store.reading() as tx:
            assert dict(await tx.organizations.holdings(tenant)) == {}

        await node_in(store, tenant)
        await node_in(store, tenant)
        project = await project_in(store, tenant)
        async with store() as tx:
            await tx.workers.add(a_worker(project))
            await tx.commit()

        async with store.reading() as tx:
            assert dict(await tx.organizations.holdings(tenant)) == {"nodes": 2, "projects": 1, "workers": 1}

    async def test_a_removed_organization_is_gone_with_its_memberships(self, store: Store) -> None:
        organization, other, user = await organization_in(store), await organization_in(store), a_user()
        async with store() as tx:
            await tx.members.add_user(user)
            for each in (organization, other):
                await tx.members.add(Membership(org_id=each.id, user_id=user.id, role=Role.OWNER, joined_at=NOW))
            await tx.commit()

        async with store() as tx:
            await tx.organizations.remove(await tx.organizations.lock(a_tenant(organization.id)))
            await tx.commit()

        async with store() as tx:
            assert await tx.grants.roles_of(user.id) == {other.id: Role.OWNER}
            assert await tx.organizations.find_by_slug(organization.slug) is None
            for look in (tx.organizations.get, tx.organizations.lock, tx.organizations.hold):
                with pytest.raises(NotFound):
                    await look(a_tenant(organization.id))

    async def test_what_is_held_is_not_removed_meanwhile(self, store: Store) -> None:
        tenant = a_tenant((await organization_in(store)).id)

        async def fill() -> bool:
            try:
                async with store() as tx:
                    await tx.organizations.hold(tenant)
                    await tx.nodes.add(a_node(tenant))
                    await tx.commit()
            except (StaleVersion, NotFound):
                return False
            return True

        async def remove() -> bool:
            try:
                async with store() as tx:
                    organization = await tx.organizations.lock(tenant)
                    if await tx.organizations.holdings(tenant):
                        return False
                    await tx.organizations.remove(organization)
                    await tx.commit()
            except StaleVersion:
                return False
            return True

        for _ in range(10):
            assert sorted(await asyncio.gather(fill(), remove())) == [False, True]
            tenant = a_tenant((await organization_in(store)).id)


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

    async def test_settings_are_changed_once_a_version(self, store: Store) -> None:
        user = a_user()
        async with store() as tx:
            await tx.members.add_user(user)
            await tx.commit()
        changed = user.with_settings(name="Grace", dotfiles_repo="https://host/dots")

        async with store() as tx:
            after = await tx.members.update_user(changed)
            await tx.commit()

        assert after == replace(changed, version=2)
        async with store.reading() as tx:
            assert await tx.members.get_user(user.id) == after
        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.members.update_user(changed)

    async def test_a_user_gets_another_address_that_is_free(self, store: Store) -> None:
        user, other = a_user(), a_user()
        async with store() as tx:
            await tx.members.add_user(user)
            await tx.members.add_user(other)
            await tx.commit()

        async with store() as tx:
            moved = await tx.members.update_user(replace(user, email=f"new-{user.email}"))
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.members.find_user_by_email(user.email) is None
            assert await tx.members.find_user_by_email(moved.email) == moved
        with pytest.raises(Conflict) as caught:
            async with store() as tx:
                await tx.members.update_user(replace(moved, email=other.email))
        assert caught.value.code == "email_taken"

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

    async def test_a_membership_comes_back_with_its_newest_role_until_it_is_removed(self, store: Store) -> None:
        tenant, membership = await self._membership_in(store)
        promoted = replace(membership, role=Role.OWNER)

        async with store() as tx:
            await tx.members.update(promoted)
            await tx.commit()

        async with store() as tx:
            assert await tx.members.get(tenant, membership.user_id) == promoted
            assert await tx.members.count_owners(tenant) == 1
            await tx.members.remove(promoted)
            await tx.commit()
        async with store.reading() as tx:
            assert await tx.members.count_owners(tenant) == 0
            with pytest.raises(NotFound) as caught:
                await tx.members.get(tenant, membership.user_id)
        assert caught.value.code == "member_not_found"

    async def test_a_membership_is_unknown_to_another_tenant(self, store: Store) -> None:
        _, membership = await self._membership_in(store)

        async with store.reading() as tx:
            with pytest.raises(NotFound):
                await tx.members.get(a_tenant(), membership.user_id)

    async def test_a_membership_that_is_gone_is_neither_updated_nor_removed(self, store: Store) -> None:
        gone = Membership(org_id=OrgId(an_id("org")), user_id=a_user().id, role=Role.OWNER, joined_at=NOW)

        for change in ("update", "remove"):
            with pytest.raises(StaleVersion):
                async with store() as tx:
                    await getattr(tx.members, change)(gone)

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

    async def test_of_owners_who_leave_at_once_one_stays(self, store: Store) -> None:
        tenant, members = a_tenant((await organization_in(store)).id), _services(store)
        owners = await self._owners_in(store, tenant, 16)

        async def leave(owner: Actor) -> str:
            assert owner.user_id is not None
            try:
                await members.remove(owner, tenant.org_id, owner.user_id)
            except Conflict as error:
                return error.code
            return "left"

        outcomes = await asyncio.gather(*map(leave, owners))

        assert sorted(outcomes) == ["last_owner"] + ["left"] * 15
        async with store.reading() as tx:
            assert await tx.members.count_owners(tenant) == 1

    async def test_of_two_owners_who_demote_each_other_one_stays(self, store: Store) -> None:
        members = _services(store)
        for _ in range(10):
            tenant = a_tenant((await organization_in(store)).id)
            first, second = await self._owners_in(store, tenant, 2)

            outcomes = await asyncio.gather(
                members.change_role(first, tenant.org_id, second.user_id or UserId(""), Role.MEMBER),
                members.change_role(second, tenant.org_id, first.user_id or UserId(""), Role.MEMBER),
                return_exceptions=True,
            )

            assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Forbidden", "Member"]

    async def _membership_in(self, store: Store) -> tuple[Tenant, Membership]:
        tenant, user = a_tenant(), a_user()
        membership = Membership(org_id=tenant.org_id, user_id=user.id, role=Role.MEMBER, joined_at=NOW)
        async with store() as tx:
            await tx.members.add_user(user)
            await tx.members.add(membership)
            await tx.commit()
        return tenant, membership

    async def _owners_in(self, store: Store, tenant: Tenant, count: int) -> list[Actor]:
        users = [a_user() for _ in range(count)]
        async with store() as tx:
            for user in users:
                await tx.members.add_user(user)
                await tx.members.add(Membership(org_id=tenant.org_id, user_id=user.id, role=Role.OWNER, joined_at=NOW))
            await tx.commit()
        roles = {tenant.org_id: Role.OWNER}
        return [Actor(kind=ActorKind.USER, user_id=user.id, credential_id="ses_1", roles=roles) for user in users]


def _services(store: Store) -> MemberService:
    clock = ManualClock()
    return MemberService(store, auditor=Auditor(clock=clock, ids=TimeOrderedIds(clock)), clock=clock)


class IdempotencyRepositoryContract:
    async def test_a_request_is_remembered_for_a_day(self, store: Store) -> None:
        key = IdempotencyKey(key="k", fingerprint=b"\x00f")
        async with store() as tx:
            await tx.idempotency.add("scope", key, "wkr_1", now=NOW, answer=b"\x00a")
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.idempotency.find("scope", key, now=NOW) == Remembered("wkr_1", b"\x00f", b"\x00a")
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
            assert await tx.idempotency.find("scope", key, now=tomorrow) == Remembered("wkr_2", b"f", None)
