"""Signing in: who comes back, as whom, and what ends by it."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.builders import USER
from tests.unit.core.memory import Memory

from spunto.adapters.memory.identity import FakeIdentityProvider
from spunto.core.access.policy import Role
from spunto.core.access.sessions import Opened
from spunto.core.kernel.errors import Conflict, Forbidden, Malformed, NotFound, SpuntoError, Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.flow import FLOW_LIFETIME
from spunto.core.orgs.sign_in import Begun, Callback, SignInService

REDIRECT_URI = "https://spunto.example/api/auth/callback"


class Door:
    """The service with a provider, and a browser that goes there and back."""

    def __init__(self, memory: Memory, *, hosted_domain: str | None = None, owner_email: str | None = None) -> None:
        self.memory = memory
        self.provider = FakeIdentityProvider(clock=memory.clock, hosted_domain=hosted_domain)
        self.service = SignInService(
            memory.racing,
            provider=self.provider,
            owner_email=owner_email,
            auditor=memory.auditor,
            clock=memory.clock,
            ids=memory.ids,
        )

    async def begin(self) -> Begun:
        return await self.service.begin("/", redirect_uri=REDIRECT_URI)

    def back(self, begun: Begun, *, subject: str = "1", email: str = "ada@example.org", **claims: Any) -> Callback:
        code = self.provider.consent(begun.url, subject=subject, email=email, **claims)
        return Callback(state=begun.flow.state, code=Secret(code), error=None, issuer=None)

    async def finish(self, begun: Begun | None, came: Callback, *, replacing: Secret | None = None) -> Opened:
        flow = None if begun is None else begun.flow
        return await self.service.finish(flow, came, redirect_uri=REDIRECT_URI, replacing=replacing)

    async def sign_in(self, *, replacing: Secret | None = None, **person: Any) -> Opened:
        begun = await self.begin()
        return await self.finish(begun, self.back(begun, **person), replacing=replacing)

    async def refusal(self, begun: Begun | None, came: Callback) -> str:
        with pytest.raises(SpuntoError) as caught:
            await self.finish(begun, came)
        return caught.value.code


async def test_who_comes_for_the_first_time_becomes_a_user_without_an_organization(memory: Memory) -> None:
    opened = await Door(memory).sign_in(name="Ada")

    actor = await memory.access.authenticate(opened.token)
    async with memory.store.reading() as tx:
        user = await tx.members.get_user(opened.session.user_id)
    assert (user.name, user.email, actor.user_id, dict(actor.roles)) == ("Ada", "ada@example.org", user.id, {})


async def test_who_comes_again_is_the_same_user_whatever_the_address_is_by_now(memory: Memory) -> None:
    door = Door(memory)

    first = await door.sign_in()
    again = await door.sign_in(email="ada@elsewhere.example")

    assert first.session.user_id == again.session.user_id
    assert first.session.id != again.session.id


async def test_the_same_address_under_another_subject_is_not_the_same_person(memory: Memory) -> None:
    door = Door(memory)
    await door.sign_in()

    with pytest.raises(Conflict) as caught:
        await door.sign_in(subject="2")

    assert caught.value.code == "email_taken"


async def test_the_same_subject_at_another_issuer_is_not_the_same_person(memory: Memory) -> None:
    door = Door(memory)
    first = await door.sign_in()
    door.provider.issuer = "https://other.example"

    other = await door.sign_in(email="eve@example.org")

    assert other.session.user_id != first.session.user_id


async def test_of_two_first_sign_ins_at_once_both_are_the_same_user(memory: Memory) -> None:
    door, faster = Door(memory), []

    async def be_faster() -> None:
        faster.append(await door.sign_in())

    memory.racing.interference.append(be_faster)

    opened = await door.sign_in()

    assert opened.session.user_id == faster[0].session.user_id


async def test_the_session_that_the_browser_had_ends_and_a_failed_sign_in_leaves_it(memory: Memory) -> None:
    door, old = Door(memory), await memory.access.open_session(USER)
    await memory.access.authenticate(old.token)
    begun = await door.begin()
    with pytest.raises(SpuntoError):
        await door.finish(begun, door.back(begun, nonce="another"), replacing=old.token)
    assert (await memory.access.authenticate(old.token)).user_id == USER

    await door.sign_in(replacing=old.token)

    with pytest.raises(Unauthenticated):
        await memory.access.authenticate(old.token)


async def test_a_callback_without_its_beginning_is_refused_before_the_provider_is_asked(memory: Memory) -> None:
    door = Door(memory)
    begun, other = await door.begin(), await door.begin()
    came = door.back(begun)
    door.provider.is_down = True

    assert await door.refusal(None, came) == "sign_in_not_begun"
    assert await door.refusal(other, came) == "sign_in_not_begun"
    memory.clock.advance(FLOW_LIFETIME.total_seconds())
    with pytest.raises(Malformed):
        await door.finish(begun, came)


async def test_a_code_of_another_sign_in_is_refused(memory: Memory) -> None:
    door = Door(memory)
    begun, other = await door.begin(), await door.begin()
    stolen = replace(door.back(other), state=begun.flow.state)

    assert await door.refusal(begun, stolen) == "sign_in_refused"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"error": "access_denied", "code": None}, "sign_in_cancelled"),
        ({"error": "server_error", "code": None}, "sign_in_refused"),
        ({"code": None}, "sign_in_refused"),
        ({"issuer": "https://evil.example"}, "sign_in_refused"),
    ],
)
async def test_an_answer_that_is_no_yes_is_told_apart(memory: Memory, changes: dict[str, Any], code: str) -> None:
    door = Door(memory)
    begun = await door.begin()

    assert await door.refusal(begun, replace(door.back(begun), **changes)) == code


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"nonce": "another"}, "identity_not_good"),
        ({"aud": "another"}, "identity_not_good"),
        ({"iss": "https://evil.example"}, "identity_not_good"),
        ({"email_verified": False}, "email_not_verified"),
        ({"hd": "elsewhere.example"}, "domain_not_allowed"),
    ],
)
async def test_claims_are_checked_and_nobody_is_made_of_bad_ones(
    memory: Memory, claims: dict[str, Any], code: str
) -> None:
    door = Door(memory, hosted_domain="example.org")
    begun = await door.begin()

    assert await door.refusal(begun, door.back(begun, **{"hd": "example.org", **claims})) == code

    async with memory.store.reading() as tx:
        assert await tx.members.find_user_by_email("ada@example.org") is None


async def test_without_a_provider_there_is_no_sign_in(memory: Memory) -> None:
    service = SignInService(memory.racing, provider=None, auditor=memory.auditor, clock=memory.clock, ids=memory.ids)

    assert not service.is_on
    with pytest.raises(NotFound) as caught:
        await service.begin("/", redirect_uri=REDIRECT_URI)
    assert caught.value.code == "sign_in_off"


async def test_who_is_named_to_be_it_becomes_the_first_owner(memory: Memory) -> None:
    owner, organization = await memory.bootstrap.ensure_owner()
    door = Door(memory, owner_email="Ada@example.org")

    opened = await door.sign_in(email="ada@Example.org", name="Ada")

    actor = await memory.access.authenticate(opened.token)
    async with memory.store.reading() as tx:
        user = await tx.members.get_user(owner.id)
    assert (actor.user_id, dict(actor.roles)) == (owner.id, {organization.id: Role.OWNER})
    assert (user.name, user.email) == ("Ada", "ada@example.org")
    assert (await door.sign_in()).session.user_id == owner.id
    assert await memory.bootstrap.ensure_owner() == (user, organization)


async def test_nobody_else_and_nobody_after_that_becomes_the_first_owner(memory: Memory) -> None:
    owner, _ = await memory.bootstrap.ensure_owner()
    door = Door(memory, owner_email="ada@example.org")

    stranger = await door.sign_in(subject="2", email="eve@example.org")
    with pytest.raises(Forbidden):
        await door.sign_in(email_verified=False)
    await door.sign_in()
    with pytest.raises(Conflict):
        await door.sign_in(subject="3")

    assert stranger.session.user_id != owner.id


async def test_without_a_name_for_it_nobody_becomes_the_first_owner(memory: Memory) -> None:
    owner, _ = await memory.bootstrap.ensure_owner()

    assert (await Door(memory).sign_in(email="owner@localhost.example")).session.user_id != owner.id


async def test_who_is_named_first_owner_before_there_is_one_is_a_user_like_others(memory: Memory) -> None:
    opened = await Door(memory, owner_email="ada@example.org").sign_in()

    owner, _ = await memory.bootstrap.ensure_owner()

    assert owner.id != opened.session.user_id
