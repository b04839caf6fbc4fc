"""Sessions and codes: who is recognised, until when, and how often a code is good."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.core.builders import ORG, USER
from tests.unit.core.memory import Memory

from spunto.core.access.model import Actor, ActorKind
from spunto.core.access.policy import Role
from spunto.core.access.service import CODE_LIFETIME, SESSION_LIFETIME
from spunto.core.kernel.errors import Unauthenticated
from spunto.core.kernel.secret import Secret


async def test_a_session_s_token_is_recognised_with_the_roles_of_its_user(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)

    actor = await memory.access.authenticate(opened.token, request_id="req_1")

    assert actor == Actor(
        kind=ActorKind.USER,
        user_id=USER,
        credential_id=opened.session.id,
        roles={ORG: Role.OWNER},
        request_id="req_1",
    )


async def test_anything_else_is_not(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)

    for text in ("", "sps_", "spn_x", opened.token.reveal() + "x", opened.token.reveal().upper()):
        with pytest.raises(Unauthenticated):
            await memory.access.authenticate(Secret(text))


async def test_a_session_ends_by_age_even_if_it_was_just_recognised(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)
    memory.clock.advance(SESSION_LIFETIME.total_seconds() - 0.5)
    await memory.access.authenticate(opened.token)
    memory.clock.advance(0.5)

    with pytest.raises(Unauthenticated):
        await memory.access.authenticate(opened.token)


async def test_a_revoked_session_is_not_recognised_from_that_moment_on(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)
    actor = await memory.access.authenticate(opened.token)

    await memory.access.revoke(actor)

    with pytest.raises(Unauthenticated):
        await memory.access.authenticate(opened.token)


async def test_only_a_hash_of_the_token_is_kept(memory: Memory) -> None:
    opened = await memory.access.open_session(USER)

    assert opened.token.reveal() not in repr(replace(opened.session))
    assert opened.token.reveal().encode() not in opened.session.token_hash


async def test_a_code_opens_one_session_and_no_second_one(memory: Memory) -> None:
    code = await memory.access.issue_code(USER)

    opened = await memory.access.redeem(code)

    assert opened.session.user_id == USER
    with pytest.raises(Unauthenticated):
        await memory.access.redeem(code)


async def test_a_code_has_an_end(memory: Memory) -> None:
    code = await memory.access.issue_code(USER)
    memory.clock.advance(CODE_LIFETIME.total_seconds())

    with pytest.raises(Unauthenticated):
        await memory.access.redeem(code)


async def test_who_is_slower_with_the_same_code_is_told_that_it_was_used(memory: Memory) -> None:
    code = await memory.access.issue_code(USER)

    async def be_faster() -> None:
        await memory.access.redeem(code)

    memory.racing.interference.append(be_faster)

    with pytest.raises(Unauthenticated) as caught:
        await memory.access.redeem(code)

    assert caught.value.code == "code_not_good"


async def test_a_session_may_be_asked_for_a_longer_life(memory: Memory) -> None:
    opened = await memory.access.open_session(USER, lifetime=timedelta(days=365))
    memory.clock.advance(timedelta(days=364).total_seconds())

    assert (await memory.access.authenticate(opened.token)).user_id == USER
