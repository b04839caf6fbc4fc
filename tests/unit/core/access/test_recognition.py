"""Who is still who they came as, looked up for many at once, and how much is remembered of them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.core.access.test_access_service import BusyStore
from tests.unit.core.builders import ORG, OTHER_USER, USER
from tests.unit.core.memory import Memory

from spunto.core.access import recognition as module
from spunto.core.access.api_keys import USED_EVERY, OwnerType
from spunto.core.access.key_uses import MOST_NOTED, KeyUses
from spunto.core.access.model import Actor, ApiKeyId
from spunto.core.access.policy import Role, Scope
from spunto.core.access.recognition import CACHE_SECONDS, Recognition
from spunto.core.access.sessions import SEEN_EVERY, hash_of
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.model import Membership


async def a_key_of(memory: Memory, actor: Actor, owner_type: OwnerType = OwnerType.USER) -> Secret:
    made = await memory.api_keys.create(
        actor, ORG, name="k", owner_type=owner_type, scopes=frozenset({Scope.WORKERS_READ})
    )
    return made.token


async def everybody(memory: Memory) -> dict[str, Actor]:
    """One of each kind: two sessions, two people's keys, and one of the organization's."""
    tokens = {
        "owner": (await memory.access.open_session(USER)).token,
        "member": (await memory.access.open_session(OTHER_USER)).token,
        "owner's key": await a_key_of(memory, memory.owner),
        "member's key": await a_key_of(memory, memory.member),
        "organization's key": await a_key_of(memory, memory.owner, OwnerType.ORG),
    }
    return {name: await memory.access.authenticate(token, request_id=name) for name, token in tokens.items()}


def a_recognition(memory: Memory) -> tuple[Recognition, BusyStore]:
    store = BusyStore(memory)
    return Recognition(store, clock=memory.clock, uses=memory.key_uses), store


async def names_of_changed(recognition: Recognition, actors: dict[str, Actor]) -> set[str]:
    changed = await recognition.changed(actors.values())
    return {name for name, actor in actors.items() if actor in changed}


async def test_nobody_has_changed_where_nothing_has(memory: Memory) -> None:
    recognition, _ = a_recognition(memory)

    assert await names_of_changed(recognition, await everybody(memory)) == set()


async def test_another_role_changes_a_person_and_their_keys(memory: Memory) -> None:
    recognition, _ = a_recognition(memory)
    actors = await everybody(memory)
    async with memory.store() as tx:
        joined = Membership(org_id=ORG, user_id=OTHER_USER, role=Role.ADMIN, joined_at=memory.clock.now())
        await tx.members.update(joined)
        await tx.commit()

    assert await names_of_changed(recognition, actors) == {"member", "member's key"}


async def test_what_was_revoked_or_has_ended_has_changed(memory: Memory) -> None:
    recognition, _ = a_recognition(memory)
    actors = await everybody(memory)
    for name in ("owner's key", "organization's key"):
        key_id = actors[name].api_key_id
        assert key_id is not None
        await memory.api_keys.revoke(memory.owner, ORG, key_id)
    await memory.sessions.end(actors["owner"])

    assert await names_of_changed(recognition, actors) == {"owner", "owner's key", "organization's key"}

    memory.clock.advance(timedelta(days=400).total_seconds())
    assert await names_of_changed(recognition, actors) == set(actors)


async def test_a_change_of_one_makes_it_forget_all(memory: Memory) -> None:
    recognition, store = a_recognition(memory)
    mine = await memory.access.open_session(USER)
    other = await memory.access.open_session(OTHER_USER)
    actor = await recognition.actor_of(mine.token)

    await recognition.changed([actor])
    await recognition.actor_of(mine.token)
    assert store.looks == 2

    changed = await recognition.changed([replace(actor, credential_id=other.session.id)])
    await recognition.actor_of(mine.token)
    assert (len(changed), store.looks) == (1, 4)


async def test_only_so_many_are_remembered(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_ENTRIES", 2)
    recognition, store = a_recognition(memory)
    tokens = [(await memory.access.open_session(USER)).token for _ in range(3)]

    for token in (*tokens[:2], *tokens[:2]):
        await recognition.actor_of(token)
    assert store.looks == 2

    await recognition.actor_of(tokens[2])
    await recognition.actor_of(tokens[2])
    assert store.looks == 3
    await recognition.actor_of(tokens[0])
    assert store.looks == 4


async def test_of_uses_only_so_many_wait_and_those_are_kept_up_to_date(memory: Memory) -> None:
    uses = KeyUses(memory.store, clock=memory.clock)
    now = memory.clock.now()
    for number in range(MOST_NOTED):
        uses.note(ApiKeyId(f"key_{number:026}"), at=now)

    uses.note(ApiKeyId(f"key_{MOST_NOTED:026}"), at=now)
    uses.note(ApiKeyId(f"key_{0:026}"), at=now + timedelta(seconds=1))

    assert len(uses._noted) == MOST_NOTED
    assert uses._noted[ApiKeyId(f"key_{0:026}")] == now + timedelta(seconds=1)


async def test_a_use_is_noted_again_only_after_a_while(memory: Memory) -> None:
    token = await a_key_of(memory, memory.owner)
    actor = await memory.access.authenticate(token)
    await memory.key_uses._write(memory.key_uses._noted)
    memory.key_uses._noted.clear()

    memory.clock.advance(USED_EVERY.total_seconds() - 1)
    await memory.access.authenticate(token)
    assert memory.key_uses._noted == {}

    memory.clock.advance(CACHE_SECONDS)
    await memory.access.authenticate(token)
    assert memory.key_uses._noted == {actor.api_key_id: memory.clock.now()}


@pytest.mark.parametrize("idle", [timedelta(hours=1), None])
async def test_only_a_session_that_may_idle_out_is_written_to_when_it_is_used(
    memory: Memory, idle: timedelta | None
) -> None:
    opened = await memory.access.open_session(USER, idle=idle)
    memory.clock.advance(SEEN_EVERY.total_seconds())

    actors = [await memory.access.authenticate(opened.token) for _ in range(2)]

    async with memory.store.reading() as tx:
        held = await tx.grants.find_session(hash_of(opened.token))
        assert held is not None
        kept = held.session
    assert kept is not None
    assert (kept.last_seen_at > opened.session.last_seen_at) is (idle is not None)
    assert actors[0] == actors[1]
