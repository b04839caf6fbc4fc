"""What the organizations of a person are told of their signing in and out."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from tests.unit.core.access.test_api_keys import a_key
from tests.unit.core.builders import ORG, OTHER_ORG, USER, an_actor
from tests.unit.core.memory import Memory

from spunto.adapters.memory.identity import FakeIdentityProvider
from spunto.core.access.model import ActorKind, OrgId, UserId
from spunto.core.access.policy import Action, Role
from spunto.core.access.sessions import Opened
from spunto.core.activity.model import AuditEntry
from spunto.core.kernel.errors import Forbidden
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.device_sign_in import DeviceSignInService
from spunto.core.orgs.model import Identity, Membership, Organization
from spunto.core.orgs.sign_in import Callback, SignInService

SignIn = Callable[[Memory], Awaitable[Opened]]
RETURN = "https://spunto.example/api/auth/callback"


async def entries(memory: Memory, action: Action, org_id: OrgId = ORG) -> list[AuditEntry]:
    tenant = an_actor(roles={org_id: Role.OWNER}).require(Action.AUDIT_READ, org_id=org_id)
    async with memory.store.reading() as tx:
        listed = (await tx.audit.list(tenant, PageRequest(limit=100))).items
    return [entry for entry in listed if entry.action is action]


async def by_link(memory: Memory) -> Opened:
    return await memory.sessions.redeem(await memory.access.issue_code(USER), request_id="req-1")


async def by_device(memory: Memory) -> Opened:
    devices = DeviceSignInService(memory.racing, auditor=memory.auditor, clock=memory.clock, ids=memory.ids)
    begun = await devices.begin(client_name="laptop", address="192.0.2.1")
    await devices.approve(memory.owner, begun.user_code)
    return await devices.redeem(begun.device_code, request_id="req-1")


async def by_provider(memory: Memory) -> Opened:
    provider = FakeIdentityProvider(clock=memory.clock)
    service = SignInService(
        memory.racing, provider=provider, auditor=memory.auditor, clock=memory.clock, ids=memory.ids
    )
    begun = await service.begin("/", redirect_uri=RETURN)
    code = provider.consent(begun.url, subject="1", email="ada@example.org")
    async with memory.store() as tx:
        known = Identity(issuer=provider.issuer, subject="1", user_id=USER, created_at=memory.clock.now())
        await tx.identities.add(known)
        await tx.commit()
    came = Callback(state=begun.flow.state, code=Secret(code), error=None, issuer=None)
    return await service.finish(begun.flow, came, redirect_uri=RETURN, replacing=None, request_id="req-1")


@pytest.mark.parametrize(("sign_in", "way"), [(by_link, "link"), (by_device, "device"), (by_provider, "provider")])
async def test_who_signs_in_is_recorded_with_the_session_and_the_way(memory: Memory, sign_in: SignIn, way: str) -> None:
    opened = await sign_in(memory)

    [entry] = await entries(memory, Action.SESSION_BEGIN)
    session_id = opened.session.id
    assert (entry.actor_id, entry.credential_id, entry.target_id) == (USER, session_id, session_id)
    assert (entry.detail, entry.request_id) == ({"by": way}, "req-1")


async def test_a_code_that_is_not_good_is_no_sign_in(memory: Memory) -> None:
    with pytest.raises(Exception, match="used already or has expired"):
        await memory.sessions.redeem(Secret("guessed"))

    assert await entries(memory, Action.SESSION_BEGIN) == []


async def test_every_organization_of_the_person_hears_of_it_and_no_other(memory: Memory) -> None:
    async with memory.store() as tx:
        now = memory.clock.now()
        await tx.organizations.add(Organization(id=OTHER_ORG, name="Other", slug="other", created_at=now))
        await tx.commit()
    await by_link(memory)
    assert await entries(memory, Action.SESSION_BEGIN, OTHER_ORG) == []

    async with memory.store() as tx:
        await tx.members.add(Membership(org_id=OTHER_ORG, user_id=USER, role=Role.MEMBER, joined_at=now))
        await tx.commit()
    await by_link(memory)

    assert len(await entries(memory, Action.SESSION_BEGIN)) == 2
    assert len(await entries(memory, Action.SESSION_BEGIN, OTHER_ORG)) == 1


async def test_signing_out_is_recorded_and_everywhere_says_so(memory: Memory) -> None:
    first, second = await by_link(memory), await by_link(memory)

    await memory.sessions.end(await memory.access.authenticate(first.token))
    await memory.sessions.end_everywhere(await memory.access.authenticate(second.token))

    recorded = {entry.target_id: entry.detail for entry in await entries(memory, Action.SESSION_END)}
    assert recorded == {first.session.id: {}, USER: {"everywhere": "true"}}


async def test_nobody_is_told_by_an_event(memory: Memory) -> None:
    await memory.sessions.end(await memory.access.authenticate((await by_link(memory)).token))

    async with memory.store.reading() as tx:
        assert await tx.events.last(ORG) == 0


@pytest.mark.parametrize("user_id", [USER, None])
async def test_no_key_ends_a_session(memory: Memory, user_id: UserId | None) -> None:
    opened = await memory.access.open_session(USER)
    key = replace(a_key(user_id=user_id).acting_as(Role.OWNER) or memory.owner, credential_id=opened.session.id)

    for end in (memory.sessions.end, memory.sessions.end_everywhere):
        with pytest.raises(Forbidden, match="sign in"):
            await end(key)

    assert (await memory.access.authenticate(opened.token)).user_id == USER


async def test_only_a_person_signs_out_everywhere(memory: Memory) -> None:
    with pytest.raises(Forbidden, match="Only a person"):
        await memory.sessions.end_everywhere(replace(an_actor(kind=ActorKind.SYSTEM), user_id=None))
