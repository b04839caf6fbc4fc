"""Sessions and codes: who is recognised, until when, and how often a code is good."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from tests.unit.core.access.test_api_keys import a_key
from tests.unit.core.builders import ORG, OTHER_USER, USER, an_actor
from tests.unit.core.memory import Memory

from spunto.adapters.memory.store import MemoryTransaction
from spunto.core.access.api_keys import KEY_LIFETIME, LONGEST_LIFETIME, USED_EVERY, KeyToken
from spunto.core.access.key_uses import KeyUses
from spunto.core.access.model import Actor, ActorKind, ApiKeyId, SignInCode
from spunto.core.access.policy import Role
from spunto.core.access.recognition import CACHE_SECONDS, RENEW_SECONDS, Recognition
from spunto.core.access.service import CODE_LIFETIME
from spunto.core.access.sessions import SEEN_EVERY, SESSION_IDLE, SESSION_LIFETIME, hash_of
from spunto.core.kernel.errors import Unauthenticated
from spunto.core.kernel.secret import Secret


@dataclass(frozen=True, slots=True)
class SlowStore:
    """Answers what was so some seconds ago."""

    memory: Memory
    seconds: float

    def __call__(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self.memory.store()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[MemoryTransaction]:
        async with self.memory.store.reading() as tx:
            yield tx
            self.memory.clock.advance(self.seconds)


@dataclass(slots=True)
class BusyStore:
    """Answers when others have had their turn, and counts how often it was asked."""

    memory: Memory
    looks: int = 0

    def __call__(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self.memory.store()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[MemoryTransaction]:
        self.looks += 1
        await asyncio.sleep(0)
        async with self.memory.store.reading() as tx:
            yield tx


async def test_a_session_s_token_is_recognised_with_the_roles_of_its_user(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)

    actor = await memory.access.authenticate(opened.token, request_id="req_1")

    assert actor == Actor(
        kind=ActorKind.USER,
        user_id=USER,
        credential_id=opened.session.id,
        roles={ORG: Role.OWNER},
        expires_at=opened.session.expires_at,
        request_id="req_1",
    )


async def test_anything_else_is_not(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)

    for text in ("", "sps_", "spn_x", opened.token.reveal() + "x", opened.token.reveal().upper()):
        with pytest.raises(Unauthenticated):
            await memory.access.authenticate(Secret(text))


async def test_a_session_ends_by_age_even_if_it_was_just_recognised(memory: Memory) -> None:
    opened = await memory.access.open_session(USER, idle=None)
    memory.clock.advance(SESSION_LIFETIME.total_seconds() - 0.5)
    await memory.access.authenticate(opened.token)
    memory.clock.advance(0.5)

    with pytest.raises(Unauthenticated):
        await memory.access.authenticate(opened.token)


async def test_a_session_ends_by_idleness_even_if_it_is_remembered(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)
    await memory.access.authenticate(opened.token)
    memory.clock.advance(SESSION_IDLE.total_seconds())

    with pytest.raises(Unauthenticated):
        await memory.access.authenticate(opened.token)


async def test_a_session_that_is_used_lives_on_until_its_age_ends_it(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)
    half, uses = SESSION_IDLE / 2, 2 * SESSION_LIFETIME // SESSION_IDLE

    for _ in range(uses - 1):
        memory.clock.advance(half.total_seconds())
        await memory.access.authenticate(opened.token)
    memory.clock.advance(half.total_seconds())

    with pytest.raises(Unauthenticated):
        await memory.access.authenticate(opened.token)


async def test_the_last_use_is_written_down_at_most_once_a_minute(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)
    start, seen = memory.clock.now(), []

    for _ in range(5):
        memory.clock.advance(SEEN_EVERY.total_seconds() / 2)
        await memory.access.authenticate(opened.token)
        async with memory.store.reading() as tx:
            held = await tx.grants.find_session(hash_of(opened.token))
            assert held is not None
            session = held.session
        assert session is not None
        seen.append((session.last_seen_at - start) / SEEN_EVERY)

    assert seen == [0, 1, 1, 2, 2]


async def test_a_use_that_lost_the_race_to_write_itself_down_is_recognised_all_the_same(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)
    memory.clock.advance(SEEN_EVERY.total_seconds())

    async def be_faster() -> None:
        async with memory.store() as tx:
            await tx.sessions.mark_seen(opened.session.id, at=memory.clock.now())
            await tx.commit()

    memory.racing.interference.append(be_faster)

    assert (await memory.access.authenticate(opened.token)).user_id == USER


async def test_a_revoked_session_is_not_recognised_from_that_moment_on(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)
    actor = await memory.access.authenticate(opened.token)

    await memory.sessions.end(actor)

    with pytest.raises(Unauthenticated):
        await memory.access.authenticate(opened.token)


async def test_what_another_server_revokes_is_noticed_a_second_after_the_row_was_read(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)
    recognition = Recognition(
        SlowStore(memory, seconds=CACHE_SECONDS / 2), clock=memory.clock, uses=KeyUses(memory.store, clock=memory.clock)
    )
    await recognition.actor_of(opened.token)

    async with memory.store() as tx:
        await tx.sessions.revoke(opened.session.id, at=memory.clock.now())
        await tx.commit()
    memory.clock.advance(CACHE_SECONDS / 2)

    with pytest.raises(Unauthenticated):
        await recognition.actor_of(opened.token)


async def test_of_many_who_ask_one_looks_up_before_the_second_ends(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)
    store = BusyStore(memory)
    recognition = Recognition(store, clock=memory.clock, uses=KeyUses(memory.store, clock=memory.clock))
    await recognition.actor_of(opened.token)

    memory.clock.advance(RENEW_SECONDS)
    await asyncio.gather(*(recognition.actor_of(opened.token) for _ in range(5)))
    memory.clock.advance(CACHE_SECONDS - RENEW_SECONDS)
    await asyncio.gather(*(recognition.actor_of(opened.token) for _ in range(5)))

    assert store.looks == 2


async def test_a_look_ahead_that_finds_a_credential_revoked_ends_it_for_all(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)
    await memory.access.authenticate(opened.token)
    async with memory.store() as tx:
        await tx.sessions.revoke(opened.session.id, at=memory.clock.now())
        await tx.commit()
    memory.clock.advance(RENEW_SECONDS)

    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await memory.access.authenticate(opened.token)


async def test_signing_out_everywhere_ends_all_sessions_of_the_user_and_no_other(memory: Memory) -> None:
    opened, second = await memory.access.open_session(USER), await memory.access.open_session(USER)
    other = await memory.access.open_session(OTHER_USER)
    actor = await memory.access.authenticate(opened.token)
    await memory.access.authenticate(second.token)

    await memory.sessions.end_everywhere(actor)

    for token in (opened.token, second.token):
        with pytest.raises(Unauthenticated):
            await memory.access.authenticate(token)
    assert (await memory.access.authenticate(other.token)).user_id == OTHER_USER


async def test_only_a_hash_of_the_token_is_kept(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)

    assert opened.token.reveal() not in repr(replace(opened.session))
    assert opened.token.reveal().encode() not in opened.session.token_hash


async def test_a_code_opens_one_session_and_no_second_one(memory: Memory) -> None:
    code = await memory.access.issue_code(USER)

    opened = await memory.sessions.redeem(code)

    assert opened.session.user_id == USER
    with pytest.raises(Unauthenticated):
        await memory.sessions.redeem(code)


async def test_a_code_ends_the_session_that_the_browser_had(memory: Memory) -> None:
    old = await memory.access.open_session(OTHER_USER)
    await memory.access.authenticate(old.token)
    code = await memory.access.issue_code(USER)

    await memory.sessions.redeem(code, replacing=old.token)

    with pytest.raises(Unauthenticated):
        await memory.access.authenticate(old.token)


async def test_a_bad_code_leaves_the_session_that_the_browser_has(memory: Memory) -> None:
    old = await memory.access.open_session(USER)

    with pytest.raises(Unauthenticated):
        await memory.sessions.redeem(Secret("guessed"), replacing=old.token)

    assert (await memory.access.authenticate(old.token)).user_id == USER


async def test_a_code_has_an_end(memory: Memory) -> None:
    code = await memory.access.issue_code(USER)
    memory.clock.advance(CODE_LIFETIME.total_seconds())

    with pytest.raises(Unauthenticated):
        await memory.sessions.redeem(code)


async def test_who_is_slower_with_the_same_code_is_told_that_it_was_used(memory: Memory) -> None:
    code = await memory.access.issue_code(USER)

    async def be_faster() -> None:
        await memory.sessions.redeem(code)

    memory.racing.interference.append(be_faster)

    with pytest.raises(Unauthenticated) as caught:
        await memory.sessions.redeem(code)

    assert caught.value.code == "code_not_good"


async def test_a_session_may_be_asked_for_a_longer_life(memory: Memory) -> None:
    opened = await memory.access.open_session(USER, lifetime=timedelta(days=365), idle=None)
    memory.clock.advance(timedelta(days=364).total_seconds())

    assert (await memory.access.authenticate(opened.token)).user_id == USER


async def test_what_is_kept_of_tokens_and_codes_is_never_shown(memory: Memory) -> None:
    session = (await memory.access.open_session(USER)).session
    key = replace(a_key(), secret_hash=b"planted")
    code = SignInCode(code_hash=b"planted", user_id=USER, expires_at=session.expires_at)

    shown = repr([replace(session, token_hash=b"planted"), key, KeyToken(kid="k", secret_hash=b"planted"), code])

    assert "planted" not in shown


def test_who_acts_is_named_by_key_then_user_then_as_the_system() -> None:
    person = an_actor(user_id=USER)
    key = replace(person, api_key_id=ApiKeyId("key_1"))
    system = replace(person, kind=ActorKind.SYSTEM, user_id=None)

    assert [person.subject_id, key.subject_id, system.subject_id] == [USER, "key_1", "system"]


def test_nothing_lives_longer_than_was_promised() -> None:
    assert (timedelta(days=7), timedelta(days=1), timedelta(minutes=1)) == (SESSION_LIFETIME, SESSION_IDLE, SEEN_EVERY)
    assert (timedelta(90), timedelta(366), timedelta(minutes=1)) == (KEY_LIFETIME, LONGEST_LIFETIME, USED_EVERY)
    assert (timedelta(minutes=10), 1.0) == (CODE_LIFETIME, CACHE_SECONDS)


async def test_what_is_made_has_the_shape_that_was_promised(memory: Memory) -> None:
    opened, code = await memory.access.open_session(USER), await memory.access.issue_code(USER)

    assert re.fullmatch(r"sps_[\w-]{43}", opened.token.reveal())
    assert re.fullmatch(r"[\w-]{43}", code.reveal())
    assert opened.session.id.startswith("ses_")
    assert (await memory.access.authenticate(opened.token)).request_id == ""
