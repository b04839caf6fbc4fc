"""The contract of identities."""

import asyncio

import pytest

from spunto.core.access.model import UserId
from spunto.core.kernel.errors import StaleVersion
from spunto.core.orgs.model import Identity
from spunto.testing.contracts.store import NOW, Store, an_id

CLIENTS = 16


class IdentityRepositoryContract:
    async def test_an_identity_is_found_by_issuer_and_subject_together(self, store: Store) -> None:
        one, other = _identity("https://one", "1"), _identity("https://other", "1")
        async with store() as tx:
            await tx.identities.add(one)
            await tx.identities.add(other)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.identities.find(issuer="https://one", subject="1") == one.user_id
            assert await tx.identities.find(issuer="https://other", subject="1") == other.user_id
            assert await tx.identities.find(issuer="https://one", subject="2") is None
            assert await tx.identities.find(issuer="https://ONE", subject="1") is None

    async def test_an_identity_is_one_persons(self, store: Store) -> None:
        async with store() as tx:
            await tx.identities.add(_identity("https://one", "1"))
            await tx.commit()

        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.identities.add(_identity("https://one", "1"))

    async def test_of_many_first_sign_ins_at_once_exactly_one_is_the_first(self, store: Store) -> None:
        async def first() -> bool:
            try:
                async with store() as tx:
                    await tx.identities.add(_identity("https://one", "1"))
                    await tx.commit()
            except StaleVersion:
                return False
            return True

        won = await asyncio.gather(*(first() for _ in range(CLIENTS)))

        assert won.count(True) == 1


def _identity(issuer: str, subject: str) -> Identity:
    return Identity(issuer=issuer, subject=subject, user_id=UserId(an_id("usr")), created_at=NOW)
