"""The contract of API keys."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spunto.core.access.api_keys import USED_EVERY, ApiKey
from spunto.core.access.model import ApiKeyId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.paging import PageRequest
from spunto.core.orgs.model import Membership
from spunto.testing.contracts.store import LATER, NOW, Store, a_tenant, a_user, an_api_key, an_organization

ALL = PageRequest(limit=10)


class ApiKeyRepositoryContract:
    async def test_a_key_comes_back_as_it_was_kept(self, store: Store) -> None:
        tenant = a_tenant()
        own, organization_s = an_api_key(tenant), an_api_key(tenant, user_id=None, expires_at=None)
        await _add(store, own, organization_s)

        async with store.reading() as tx:
            assert await tx.api_keys.get(tenant, own.id) == own
            assert await _by_kid(tx, organization_s.kid) == organization_s
            assert await _by_kid(tx, "nobody") is None
            found = await tx.api_keys.find_all([own.id, organization_s.id, ApiKeyId("key_1")])
            assert await tx.api_keys.find_all([]) == []

        assert sorted(found, key=lambda key: key.id) == [own, organization_s]

    async def test_a_key_comes_with_what_its_owner_may_now(self, store: Store) -> None:
        organization, ada = an_organization(), a_user()
        tenant = replace(a_tenant(), org_id=organization.id)
        own, organization_s = an_api_key(tenant, user_id=ada.id), an_api_key(tenant, user_id=None)
        elsewhere = Membership(org_id=a_tenant().org_id, user_id=ada.id, role=Role.OWNER, joined_at=NOW)
        async with store() as tx:
            await tx.members.add(elsewhere)
            await tx.commit()
        await _add(store, own, organization_s)
        assert [await _role(store, key) for key in (own, organization_s)] == [None, None]

        async with store() as tx:
            await tx.organizations.add(organization)
            await tx.members.add(replace(elsewhere, org_id=organization.id, role=Role.MEMBER))
            await tx.commit()

        assert [await _role(store, key) for key in (own, organization_s)] == [Role.MEMBER, Role.ADMIN]

    async def test_keys_are_listed_newest_first_and_by_user(self, store: Store) -> None:
        tenant, bob = a_tenant(), a_user()
        keys = [an_api_key(tenant), an_api_key(tenant, user_id=bob.id), an_api_key(tenant, user_id=None)]
        await _add(store, *keys, an_api_key(a_tenant()))

        async with store.reading() as tx:
            first = await tx.api_keys.list(tenant, PageRequest(limit=2))
            second = await tx.api_keys.list(tenant, PageRequest(limit=2, before=first.next_before))
            of_bob = await tx.api_keys.list(tenant, ALL, of_user=bob.id)

        assert ([*first.items, *second.items], second.next_before) == (keys[::-1], None)
        assert of_bob.items == [keys[1]]

    async def test_a_revoked_key_is_known_by_its_kid_alone_and_keeps_its_first_end(self, store: Store) -> None:
        tenant = a_tenant()
        key = an_api_key(tenant)
        await _add(store, key)

        for at in (NOW, LATER):
            async with store() as tx:
                await tx.api_keys.revoke(tenant, key.id, at=at)
                await tx.commit()

        async with store.reading() as tx:
            assert await _by_kid(tx, key.kid) == replace(key, revoked_at=NOW)
            assert (await tx.api_keys.list(tenant, ALL)).items == []
            with pytest.raises(NotFound, match="API key"):
                await tx.api_keys.get(tenant, key.id)

    async def test_another_organization_s_key_is_not_there(self, store: Store) -> None:
        key, stranger = an_api_key(a_tenant()), a_tenant()
        await _add(store, key)

        async with store() as tx:
            await tx.api_keys.revoke(stranger, key.id, at=NOW)
            await tx.api_keys.revoke_of(stranger, key.created_by, at=NOW)
            await tx.api_keys.remove_all(stranger)
            with pytest.raises(NotFound):
                await tx.api_keys.get(stranger, key.id)
            await tx.commit()

        assert await _kept(store, key) == key

    async def test_a_user_s_own_keys_end_together_in_one_organization(self, store: Store) -> None:
        tenant, elsewhere = a_tenant(), a_tenant()
        bob = a_user()
        own, made = an_api_key(tenant, user_id=bob.id), an_api_key(tenant, user_id=None, created_by=bob.id)
        other = an_api_key(elsewhere, user_id=bob.id)
        await _add(store, own, made, other)

        async with store() as tx:
            await tx.api_keys.revoke_of(tenant, bob.id, at=NOW)
            await tx.commit()

        assert [await _kept(store, key) for key in (own, made, other)] == [replace(own, revoked_at=NOW), made, other]

    async def test_an_organization_s_keys_are_forgotten_together(self, store: Store) -> None:
        tenant = a_tenant()
        keys = [an_api_key(tenant), an_api_key(tenant, user_id=None), an_api_key(tenant, revoked_at=NOW)]
        await _add(store, *keys)

        async with store() as tx:
            await tx.api_keys.remove_all(tenant)
            await tx.commit()

        assert [await _kept(store, key) for key in keys] == [None] * 3

    async def test_uses_within_a_minute_are_one(self, store: Store) -> None:
        tenant = a_tenant()
        key = an_api_key(tenant)
        await _add(store, key)
        noted = []

        for at in (NOW, NOW + USED_EVERY - timedelta(microseconds=1), NOW + USED_EVERY, NOW):
            async with store() as tx:
                await tx.api_keys.mark_used(key.id, at=at)
                await tx.commit()
            kept = await _kept(store, key)
            assert kept is not None
            noted.append(kept.last_used_at)

        assert noted == [NOW, NOW, NOW + USED_EVERY, NOW + USED_EVERY]


async def _add(store: Store, *keys: ApiKey) -> None:
    async with store() as tx:
        for key in keys:
            await tx.api_keys.add(key)
        await tx.commit()


async def _kept(store: Store, key: ApiKey) -> ApiKey | None:
    async with store.reading() as tx:
        return await _by_kid(tx, key.kid)


async def _role(store: Store, key: ApiKey) -> Role | None:
    async with store.reading() as tx:
        held = await tx.grants.find_key(key.kid)
    assert held is not None
    return held.role


async def _by_kid(tx: Any, kid: str) -> ApiKey | None:
    held = await tx.grants.find_key(kid)
    return None if held is None else held.key
