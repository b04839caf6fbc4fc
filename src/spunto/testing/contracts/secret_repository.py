"""The contracts of secrets, of the canary, and of SSH keys."""

from dataclasses import replace

import pytest

from spunto.core.access.model import UserId
from spunto.core.kernel.errors import Conflict, NotFound, StaleVersion
from spunto.core.kernel.paging import PageRequest
from spunto.core.secrets.model import EVERYWHERE, OWN, Consent, StoredSecret
from spunto.testing.contracts.store import LATER, Store, a_sealed, a_secret, a_user, an_ssh_key, organization_in

USER, OTHER = a_user().id, a_user().id


async def secrets_in(store: Store, *secrets: StoredSecret) -> None:
    async with store() as tx:
        for secret in secrets:
            await tx.secrets.add(secret)
        await tx.commit()


class SecretRepositoryContract:
    async def test_a_secret_comes_back_whole_to_its_owner_alone(self, store: Store) -> None:
        secret = a_secret(USER)
        await secrets_in(store, secret)

        async with store.reading() as tx:
            assert await tx.secrets.get(USER, secret.id) == secret
            for user_id, secret_id in ((OTHER, secret.id), (USER, a_secret(USER).id)):
                with pytest.raises(NotFound) as caught:
                    await tx.secrets.get(user_id, secret_id)
                assert caught.value.code == "secret_not_found"

    async def test_secrets_are_listed_of_one_user_newest_first(self, store: Store) -> None:
        mine, foreign, newer = a_secret(USER), a_secret(OTHER), a_secret(USER)
        await secrets_in(store, mine, foreign, newer)

        async with store.reading() as tx:
            page = await tx.secrets.list(USER, PageRequest(limit=1))
            rest = await tx.secrets.list(USER, PageRequest(limit=1, before=page.next_before))
            assert await tx.secrets.of_owners([OTHER, UserId("usr_none")]) == [foreign]

        assert (list(page.items), list(rest.items), rest.next_before) == ([newer], [mine], None)

    async def test_a_name_that_is_taken_is_a_lost_race(self, store: Store) -> None:
        secret = a_secret(USER)
        await secrets_in(store, secret, a_secret(OTHER, name=secret.name))

        with pytest.raises(StaleVersion):
            await secrets_in(store, a_secret(USER, name=secret.name))

    async def test_a_new_value_is_written_over_the_one_before_it_alone(self, store: Store) -> None:
        secret = a_secret(USER)
        await secrets_in(store, secret)
        after = secret.replaced(a_sealed("k2"), size_bytes=9, at=LATER)

        async with store() as tx:
            await tx.secrets.update(after)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.secrets.get(USER, secret.id) == after
        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.secrets.update(after)

    async def test_consent_is_changed_unless_value_or_consent_was(self, store: Store) -> None:
        secret = a_secret(USER)
        some = Consent(own=True, project_ids=frozenset({"prj_b", "prj_a"}))
        await secrets_in(store, secret)

        async with store() as tx:
            await tx.secrets.let_into(secret, some)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.secrets.get(USER, secret.id) == replace(secret, consent=some)
        for stale in (secret, replace(secret, consent=some, version=2)):
            with pytest.raises(StaleVersion):
                async with store() as tx:
                    await tx.secrets.let_into(stale, EVERYWHERE)

    @pytest.mark.parametrize("consent", [OWN, EVERYWHERE, Consent(), Consent(project_ids=frozenset({"prj_a"}))])
    async def test_every_consent_comes_back(self, store: Store, consent: Consent) -> None:
        secret = a_secret(USER, consent=consent)
        await secrets_in(store, secret)

        async with store.reading() as tx:
            assert (await tx.secrets.get(USER, secret.id)).consent == consent

    async def test_an_organization_s_secrets_end_with_it(self, store: Store) -> None:
        organization = await organization_in(store)
        kept = a_secret(USER)
        await secrets_in(store, a_secret(organization.id), kept)

        async with store() as tx:
            await tx.organizations.remove(organization)
            await tx.commit()

        async with store.reading() as tx:
            assert list(await tx.secrets.of_owners([organization.id, USER])) == [kept]

    async def test_a_removed_secret_frees_its_name(self, store: Store) -> None:
        secret = a_secret(USER)
        await secrets_in(store, secret)

        async with store() as tx:
            await tx.secrets.remove(secret)
            await tx.commit()

        await secrets_in(store, a_secret(USER, name=secret.name))
        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.secrets.remove(secret)

    async def test_what_is_not_under_a_key_comes_in_batches(self, store: Store) -> None:
        first, second, third = (a_secret(USER, key_id="old") for _ in range(3))
        await secrets_in(store, first, a_secret(USER, key_id="new"), second, third)

        async with store.reading() as tx:
            batch = await tx.secrets.not_under("new", after="", limit=2)
            rest = await tx.secrets.not_under("new", after=batch[-1].id, limit=2)
            assert await tx.secrets.count_by_key() == {"old": 3, "new": 1}

        assert (list(batch), list(rest)) == ([first, second], [third])

    async def test_a_wrapping_is_changed_unless_the_row_was(self, store: Store) -> None:
        still, rewritten, removed, moved = (a_secret(USER, key_id="old") for _ in range(4))
        await secrets_in(store, still, rewritten, removed, moved)
        newer = rewritten.replaced(a_sealed("newest"), size_bytes=1, at=LATER)
        fresh, other = a_sealed("new", wrapped_key=b"fresh"), a_sealed("other", wrapped_key=b"other")
        async with store() as tx:
            await tx.secrets.update(newer)
            await tx.secrets.remove(removed)
            await tx.secrets.rewrap([(moved, other)])
            await tx.commit()

        async with store() as tx:
            await tx.secrets.rewrap([(each, fresh) for each in (still, rewritten, removed, moved)])
            await tx.commit()

        async with store.reading() as tx:
            found = await tx.secrets.of_owners([USER])
        assert list(found) == [replace(still, sealed=fresh), newer, replace(moved, sealed=other)]


class CanaryRepositoryContract:
    async def test_there_is_one_canary_which_is_replaced_once(self, store: Store) -> None:
        canary, after = a_sealed("k1"), a_sealed("k2", wrapped_key=b"other")
        async with store() as tx:
            assert await tx.canary.find() is None
            await tx.canary.add(canary)
            await tx.commit()

        async with store() as tx:
            await tx.canary.replace(canary, after)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.canary.find() == after
        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.canary.replace(canary, after)
        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.canary.add(canary)


class SshKeyRepositoryContract:
    async def test_keys_are_their_users_newest_first(self, store: Store) -> None:
        older, newer, foreign = an_ssh_key(USER), an_ssh_key(USER), an_ssh_key(OTHER)
        async with store() as tx:
            for key in (older, newer, foreign):
                await tx.ssh_keys.add(key)
            await tx.commit()

        async with store() as tx:
            assert list(await tx.ssh_keys.of_user(USER)) == [newer, older]
            with pytest.raises(NotFound) as caught:
                await tx.ssh_keys.remove(USER, foreign.id)
            assert caught.value.code == "ssh_key_not_found"
            await tx.ssh_keys.remove(USER, older.id)
            await tx.commit()

        async with store.reading() as tx:
            assert list(await tx.ssh_keys.of_user(USER)) == [newer]

    async def test_a_user_has_a_key_once(self, store: Store) -> None:
        key = an_ssh_key(USER)
        async with store() as tx:
            await tx.ssh_keys.add(key)
            await tx.ssh_keys.add(an_ssh_key(OTHER, fingerprint=key.fingerprint))
            await tx.commit()

        with pytest.raises(Conflict) as caught:
            async with store() as tx:
                await tx.ssh_keys.add(an_ssh_key(USER, fingerprint=key.fingerprint))

        assert caught.value.code == "ssh_key_exists"
