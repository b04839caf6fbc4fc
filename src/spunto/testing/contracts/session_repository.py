"""The contract of sessions, sign-in codes and grants."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from spunto.core.access.model import OrgId, Session, SessionId, SignInCode, UserId
from spunto.core.access.policy import Role
from spunto.core.orgs.model import Membership
from spunto.testing.contracts.store import LATER, NOW, Store, a_session, a_user, an_id, an_organization

CLIENTS = 64


class SessionRepositoryContract:
    async def test_a_session_is_found_by_its_tokens_hash(self, store: Store) -> None:
        session = a_session()

        async with store() as tx:
            await tx.sessions.add(session)
            await tx.commit()

        async with store.reading() as tx:
            assert await _by_hash(tx, session.token_hash) == session
            assert await _by_hash(tx, b"another") is None

    async def test_sessions_are_found_by_their_ids(self, store: Store) -> None:
        wanted, other = [a_session(), a_session()], a_session()
        async with store() as tx:
            for session in (*wanted, other):
                await tx.sessions.add(session)
            await tx.commit()

        async with store.reading() as tx:
            found = await tx.sessions.find_all([wanted[0].id, wanted[1].id, SessionId(an_id("ses"))])
            assert await tx.sessions.find_all([]) == []

        assert sorted(found, key=lambda session: session.id) == wanted

    async def test_a_repeated_revocation_keeps_the_first_time(self, store: Store) -> None:
        session = a_session()
        async with store() as tx:
            await tx.sessions.add(session)
            await tx.sessions.revoke(session.id, at=NOW)
            await tx.commit()

        async with store() as tx:
            await tx.sessions.revoke(session.id, at=LATER)
            await tx.commit()

        async with store.reading() as tx:
            assert await _by_hash(tx, session.token_hash) == replace(session, revoked_at=NOW)

    async def test_every_session_of_one_user_ends_and_nobody_elses(self, store: Store) -> None:
        user = a_user()
        ended, other = [a_session(user_id=user.id), a_session(user_id=user.id)], a_session()
        async with store() as tx:
            for session in (*ended, other):
                await tx.sessions.add(session)
            await tx.commit()

        async with store() as tx:
            await tx.sessions.revoke_all(user.id, at=NOW)
            await tx.commit()

        async with store.reading() as tx:
            for session in ended:
                assert await _by_hash(tx, session.token_hash) == replace(session, revoked_at=NOW)
            assert await _by_hash(tx, other.token_hash) == other

    async def test_a_session_ends_by_its_tokens_hash(self, store: Store) -> None:
        ended, other = a_session(), a_session()
        async with store() as tx:
            await tx.sessions.add(ended)
            await tx.sessions.add(other)
            await tx.commit()

        async with store() as tx:
            await tx.sessions.revoke_by_hash(ended.token_hash, at=NOW)
            await tx.sessions.revoke_by_hash(b"another", at=NOW)
            await tx.commit()

        async with store.reading() as tx:
            assert await _by_hash(tx, ended.token_hash) == replace(ended, revoked_at=NOW)
            assert await _by_hash(tx, other.token_hash) == other

    async def test_of_several_uses_the_latest_is_noted(self, store: Store) -> None:
        session = a_session(idle_seconds=None)
        async with store() as tx:
            await tx.sessions.add(session)
            await tx.commit()

        for at in (LATER, NOW + timedelta(minutes=1)):
            async with store() as tx:
                await tx.sessions.mark_seen(session.id, at=at)
                await tx.commit()

        async with store.reading() as tx:
            assert await _by_hash(tx, session.token_hash) == replace(session, last_seen_at=LATER)

    async def test_of_many_clients_with_one_code_exactly_one_wins(self, store: Store) -> None:
        code = await _code_in(store)

        won = await asyncio.gather(*(_redeem(store, code) for _ in range(CLIENTS)))

        assert [user_id for user_id in won if user_id is not None] == [code.user_id]

    async def test_a_code_is_good_until_it_expires(self, store: Store) -> None:
        code = await _code_in(store)

        async with store() as tx:
            assert await tx.sessions.redeem_code(code.code_hash, now=LATER) is None
        async with store() as tx:
            assert await tx.sessions.redeem_code(code.code_hash, now=LATER - timedelta(microseconds=1)) is not None

    async def test_a_redemption_rolled_back_did_not_use_the_code_up(self, store: Store) -> None:
        code = await _code_in(store)
        async with store() as tx:
            await tx.sessions.redeem_code(code.code_hash, now=NOW)

        assert await _redeem(store, code) == code.user_id

    async def test_a_session_comes_with_its_user_s_roles_of_now(self, store: Store) -> None:
        session, first, second = a_session(), OrgId(an_id("org")), OrgId(an_id("org"))
        memberships = [
            Membership(org_id=org_id, user_id=session.user_id, role=role, joined_at=NOW)
            for org_id, role in ((first, Role.OWNER), (second, Role.MEMBER))
        ]
        async with store() as tx:
            await tx.sessions.add(session)
            await tx.commit()
        async with store.reading() as tx:
            assert await tx.grants.find_session(session.token_hash) == (session, {})

        async with store() as tx:
            for membership in memberships:
                await tx.members.add(membership)
            await tx.commit()

        async with store.reading() as tx:
            expected = {first: Role.OWNER, second: Role.MEMBER}
            assert await tx.grants.find_session(session.token_hash) == (session, expected)

    async def test_the_roles_of_a_user_come_by_organization(self, store: Store) -> None:
        user, other = a_user(), a_user()
        first, second = OrgId(an_id("org")), OrgId(an_id("org"))
        async with store() as tx:
            for held_by, org_id, role in (
                (user, first, Role.OWNER),
                (user, second, Role.MEMBER),
                (other, first, Role.ADMIN),
            ):
                await tx.members.add(Membership(org_id=org_id, user_id=held_by.id, role=role, joined_at=NOW))
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.grants.roles_of(user.id) == {first: Role.OWNER, second: Role.MEMBER}
            assert await tx.grants.roles_of_all([user.id, other.id, UserId("usr_1")]) == {
                user.id: {first: Role.OWNER, second: Role.MEMBER},
                other.id: {first: Role.ADMIN},
                "usr_1": {},
            }

    async def test_organizations_are_told_from_those_that_are_none(self, store: Store) -> None:
        organization = an_organization()
        async with store() as tx:
            await tx.organizations.add(organization)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.grants.organizations_among([organization.id, OrgId(an_id("org"))]) == {organization.id}


async def _code_in(store: Store) -> SignInCode:
    code = SignInCode(code_hash=b"code", user_id=UserId("usr_1"), expires_at=LATER)
    async with store() as tx:
        await tx.sessions.add_code(code)
        await tx.commit()
    return code


async def _redeem(store: Store, code: SignInCode) -> UserId | None:
    async with store() as tx:
        user_id = await tx.sessions.redeem_code(code.code_hash, now=NOW)
        await tx.commit()
    return user_id


async def _by_hash(tx: Any, token_hash: bytes) -> Session | None:
    held = await tx.grants.find_session(token_hash)
    return None if held is None else held.session
