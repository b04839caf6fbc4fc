"""Making, listing and revoking API keys, and who is recognised by them until when."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.builders import ORG, OTHER_ORG, OTHER_USER, USER, an_actor
from tests.unit.core.memory import Memory

from spunto.core.access.api_keys import KEY_LIFETIME, LONGEST_LIFETIME, USED_EVERY, OwnerType, new_token
from spunto.core.access.model import Actor, ActorKind, ApiKeyId
from spunto.core.access.policy import Action, Role, Scope
from spunto.core.access.recognition import CACHE_SECONDS
from spunto.core.access.service import AccessService
from spunto.core.kernel.errors import Conflict, Forbidden, Invalid, NotFound, SpuntoError, Unauthenticated
from spunto.core.kernel.idempotency import IdempotencyKey
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.orgs.api_keys import KeyWithToken
from spunto.core.orgs.model import Membership
from spunto.testing.settling import settle

ALL = PageRequest(limit=10)


async def make(memory: Memory, actor: Actor | None = None, **wishes: Any) -> KeyWithToken:
    asked: dict[str, Any] = {"name": "CI", "owner_type": OwnerType.USER, "scopes": frozenset({Scope.WORKERS_READ})}
    return await memory.api_keys.create(actor or memory.owner, ORG, **asked | wishes)


async def refused(access: AccessService, token: Secret) -> bool:
    try:
        await access.authenticate(token)
    except Unauthenticated as error:
        return error.code == "credential_not_good"
    return False


async def test_a_person_s_key_acts_as_that_person_within_its_scopes(memory: Memory) -> None:
    made = await make(memory, memory.member)

    actor = await memory.access.authenticate(made.token, request_id="req_1")

    assert actor == Actor(
        kind=ActorKind.API_KEY,
        user_id=OTHER_USER,
        api_key_id=made.key.id,
        credential_id=made.key.id,
        roles={ORG: Role.MEMBER},
        scopes=frozenset({Scope.WORKERS_READ}),
        expires_at=memory.clock.now() + KEY_LIFETIME,
        request_id="req_1",
    )
    assert await memory.audit() == {"api_key.create": 1}


async def test_a_key_of_the_organization_is_an_admin_and_survives_its_maker(memory: Memory) -> None:
    made = await make(memory, owner_type=OwnerType.ORG, expires_at=None)
    async with memory.store() as tx:
        await tx.members.remove(Membership(org_id=ORG, user_id=USER, role=Role.OWNER, joined_at=memory.clock.now()))
        await tx.commit()

    actor = await memory.access.authenticate(made.token)

    assert (actor.user_id, actor.roles, actor.expires_at) == (None, {ORG: Role.ADMIN}, None)


async def test_its_rights_follow_its_owner_s_role(memory: Memory) -> None:
    made = await make(memory, memory.member, scopes=frozenset({Scope.NODES_WRITE}))
    before = await memory.access.authenticate(made.token)

    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.ADMIN)
    after = await memory.access.authenticate(made.token)

    with pytest.raises(Forbidden):
        before.require(Action.NODE_DRAIN, org_id=ORG)
    assert after.require(Action.NODE_DRAIN, org_id=ORG).role is Role.ADMIN


async def test_it_dies_with_the_membership_for_good(memory: Memory) -> None:
    made = await make(memory, memory.member)
    await memory.access.authenticate(made.token)

    await memory.members.remove(memory.owner, ORG, OTHER_USER)
    gone = await refused(memory.access, made.token)
    async with memory.store() as tx:
        await tx.members.add(Membership(org_id=ORG, user_id=OTHER_USER, role=Role.OWNER, joined_at=memory.clock.now()))
        await tx.commit()

    assert gone
    assert await refused(memory.access, made.token)


async def test_it_dies_with_the_organization(memory: Memory) -> None:
    made = [await make(memory, owner_type=each) for each in OwnerType]

    await memory.organizations.delete(memory.owner, ORG)

    assert [await refused(memory.access, each.token) for each in made] == [True, True]


@pytest.mark.parametrize("owner_type", OwnerType)
async def test_a_key_without_an_organization_is_nobody(memory: Memory, owner_type: OwnerType) -> None:
    made = await make(memory, owner_type=owner_type)
    async with memory.store() as tx:
        await tx.api_keys.add(replace(made.key, id=ApiKeyId("key_2"), org_id=OTHER_ORG))
        await tx.api_keys.remove_all(memory.owner.require(Action.ORG_READ, org_id=ORG))
        await tx.commit()

    assert await refused(memory.access, made.token)


async def test_a_revoked_key_is_refused_at_once_here_and_within_a_second_elsewhere(memory: Memory) -> None:
    elsewhere = AccessService(
        memory.store, clock=memory.clock, ids=memory.ids, wakeups=Wakeups(memory.clock), uses=memory.key_uses
    )
    made = await make(memory)
    await memory.access.authenticate(made.token)
    await elsewhere.authenticate(made.token)

    await memory.api_keys.revoke(memory.owner, ORG, made.key.id)
    here = await refused(memory.access, made.token)
    memory.clock.advance(CACHE_SECONDS + 0.001)

    assert here
    assert await refused(elsewhere, made.token)
    assert await memory.audit() == {"api_key.create": 1, "api_key.revoke": 1}


async def test_a_revocation_during_a_look_up_is_not_overlooked(memory: Memory) -> None:
    made = await make(memory)
    reading = memory.racing.reading

    @asynccontextmanager
    async def slow_reading() -> AsyncIterator[Any]:
        async with reading() as tx:
            yield tx
            memory.racing.reading = reading  # type: ignore[method-assign]  # the race itself
            await memory.api_keys.revoke(memory.owner, ORG, made.key.id)

    memory.racing.reading = slow_reading  # type: ignore[method-assign]  # the race itself
    await memory.access.authenticate(made.token)

    assert await refused(memory.access, made.token)


async def test_it_ends_by_age_even_if_it_was_just_recognised(memory: Memory) -> None:
    made = await make(memory, expires_at=memory.clock.now() + timedelta(seconds=1))
    memory.clock.advance(0.5)
    await memory.access.authenticate(made.token)
    memory.clock.advance(0.5)

    assert await refused(memory.access, made.token)


async def test_another_secret_under_a_known_beginning_is_refused(memory: Memory) -> None:
    made, other = await make(memory), await make(memory)
    async with memory.store() as tx:
        await tx.api_keys.remove_all(memory.owner.require(Action.ORG_READ, org_id=ORG))
        await tx.api_keys.add(replace(made.key, secret_hash=other.key.secret_hash))
        await tx.commit()

    assert await refused(memory.access, made.token)
    assert await refused(memory.access, new_token())


async def test_admins_see_every_key_and_members_their_own(memory: Memory) -> None:
    made = [await make(memory), await make(memory, memory.member)]
    admin = replace(memory.member, roles={ORG: Role.ADMIN})

    seen = {
        role: {key.id for key in (await memory.api_keys.list(actor, ORG, ALL)).items}
        for role, actor in (("owner", memory.owner), ("admin", admin), ("member", memory.member))
    }

    every = {each.key.id for each in made}
    assert seen == {"owner": every, "admin": every, "member": {made[1].key.id}}


@pytest.mark.parametrize("owner_type", OwnerType)
async def test_keys_neither_see_nor_make_nor_end_keys(memory: Memory, owner_type: OwnerType) -> None:
    made = await make(memory, owner_type=owner_type, scopes=frozenset(Scope))
    key = await memory.access.authenticate(made.token)

    for attempt in (
        memory.api_keys.list(key, ORG, ALL),
        make(memory, key),
        memory.api_keys.revoke(key, ORG, made.key.id),
    ):
        with pytest.raises(Forbidden) as caught:
            await attempt
        assert caught.value.code == "session_required"


async def test_members_have_keys_of_their_own_and_admins_all(memory: Memory) -> None:
    own, other = await make(memory, memory.member), await make(memory)
    organization_s = await make(memory, owner_type=OwnerType.ORG)

    seen_by_member = await memory.api_keys.list(memory.member, ORG, ALL)
    seen_by_owner = await memory.api_keys.list(memory.owner, ORG, ALL)
    refusals = [
        await code_of(memory.api_keys.revoke(memory.member, ORG, each.key.id)) for each in (other, organization_s)
    ]
    await memory.api_keys.revoke(memory.member, ORG, own.key.id)
    await memory.api_keys.revoke(memory.owner, ORG, organization_s.key.id)

    assert seen_by_member.items == [own.key]
    assert seen_by_owner.items == [organization_s.key, other.key, own.key]
    assert refusals == ["not_owner", "not_owner"]
    assert (await memory.api_keys.list(memory.owner, ORG, ALL)).items == [other.key]


async def test_a_key_that_is_revoked_is_not_there_to_be_revoked(memory: Memory) -> None:
    made = await make(memory)
    await memory.api_keys.revoke(memory.owner, ORG, made.key.id)

    with pytest.raises(NotFound) as caught:
        await memory.api_keys.revoke(memory.owner, ORG, made.key.id)

    assert caught.value.code == "api_key_not_found"


async def code_of(attempt: Any) -> str | None:
    try:
        await attempt
    except SpuntoError as error:
        return error.code
    return None


async def test_only_admins_make_keys_of_the_organization(memory: Memory) -> None:
    assert await code_of(make(memory, memory.member, owner_type=OwnerType.ORG)) == "role_required"
    assert await memory.audit() == {}


async def test_who_was_demoted_a_moment_ago_makes_no_key_of_the_organization(memory: Memory) -> None:
    former = an_actor(user_id=OTHER_USER, role=Role.ADMIN)

    assert await code_of(make(memory, former, owner_type=OwnerType.ORG)) == "role_required"


async def test_only_owners_choose_a_far_end_or_none(memory: Memory) -> None:
    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.ADMIN)
    admin = an_actor(user_id=OTHER_USER, role=Role.ADMIN)
    longest = memory.clock.now() + LONGEST_LIFETIME
    further = longest + timedelta(microseconds=1)

    assert (await make(memory, admin, expires_at=longest)).key.expires_at == longest
    assert await code_of(make(memory, admin, expires_at=further)) == "role_required"
    assert await code_of(make(memory, admin, expires_at=None)) == "role_required"
    assert (await make(memory, expires_at=further)).key.expires_at == further
    assert (await make(memory, expires_at=None)).key.expires_at is None


async def test_its_name_is_one_that_people_can_read(memory: Memory) -> None:
    with pytest.raises(Invalid):
        await make(memory, name="a\u202eb")


async def test_an_end_that_has_passed_is_refused(memory: Memory) -> None:
    with pytest.raises(Invalid) as caught:
        await make(memory, expires_at=memory.clock.now())

    assert caught.value.code == "expiry_passed"


async def test_a_repeat_makes_no_second_key_and_can_not_show_the_token(memory: Memory) -> None:
    repeated = IdempotencyKey(key="k", fingerprint=b"same")
    made = await make(memory, idempotency=repeated)

    with pytest.raises(Conflict) as caught:
        await make(memory, idempotency=repeated)

    assert (caught.value.code, caught.value.fields) == ("token_not_repeatable", {"id": made.key.id})
    assert (await memory.api_keys.list(memory.owner, ORG, ALL)).items == [made.key]


async def test_a_foreign_organization_has_no_keys_to_see(memory: Memory) -> None:
    assert await code_of(memory.api_keys.list(memory.owner, OTHER_ORG, ALL)) == "organization_not_found"


async def test_the_last_use_is_written_down_beside_the_requests_and_once_a_minute(
    memory: Memory, background: Any
) -> None:
    _ = background(memory.key_uses.run())
    made = await make(memory)
    start, noted = memory.clock.now(), []

    for _ in range(5):
        memory.clock.advance(USED_EVERY.total_seconds() / 2)
        await memory.access.authenticate(made.token)
        await settle()
        [key] = (await memory.api_keys.list(memory.owner, ORG, ALL)).items
        noted.append(key.last_used_at)

    at = [start + USED_EVERY / 2 * count for count in range(6)]
    assert noted == [at[1], at[1], at[3], at[3], at[5]]


async def test_a_use_that_could_not_be_written_down_is_not_forgotten(memory: Memory, background: Any) -> None:
    _ = background(memory.key_uses.run())
    made = await make(memory)

    async def be_faster() -> None:
        async with memory.store() as tx:
            await tx.api_keys.mark_used(made.key.id, at=memory.clock.now() - timedelta(hours=1))
            await tx.commit()

    memory.racing.interference.append(be_faster)
    await memory.access.authenticate(made.token)
    used_at = memory.clock.now()
    await settle()
    memory.clock.advance(60)
    await settle()

    [key] = (await memory.api_keys.list(memory.owner, ORG, ALL)).items
    assert key.last_used_at == used_at
