"""Organizations: who gets one, by which slug, and the first one of a box."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import ORG, OTHER_ORG, OTHER_USER, USER, an_actor
from tests.unit.core.memory import Memory

from spunto.core.access.model import ActorKind, ApiKeyId
from spunto.core.access.policy import Role, Scope
from spunto.core.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from spunto.core.kernel.idempotency import REMEMBERED_FOR, IdempotencyKey
from spunto.core.kernel.paging import PageRequest
from spunto.core.orgs.model import slug_for

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
KEY = IdempotencyKey(key="k", fingerprint=b"1")


@given(st.text())
def test_any_name_has_a_slug_that_may_stand_in_a_url(name: str) -> None:
    slug = slug_for(name)

    assert SLUG.fullmatch(slug)
    assert len(slug) <= 40


async def test_who_makes_an_organization_owns_it(memory: Memory) -> None:
    view = await memory.organizations.create(memory.member, name="My Team!")

    [member] = (
        await memory.members.list(
            an_actor(user_id=OTHER_USER, roles={view.organization.id: Role.OWNER}),
            view.organization.id,
            PageRequest(),
        )
    ).items
    assert (view.organization.slug, view.role) == ("my-team", Role.OWNER)
    assert (member.user.id, member.role) == (OTHER_USER, Role.OWNER)
    assert await memory.audit(view.organization.id) == {"org.create": 1}


async def test_a_taken_slug_is_refused_if_it_was_asked_for_and_extended_if_not(memory: Memory) -> None:
    name = "a" * 60
    first = await memory.organizations.create(memory.owner, name=name)

    second = await memory.organizations.create(memory.owner, name=name)

    assert second.organization.slug != first.organization.slug
    assert SLUG.fullmatch(second.organization.slug)
    assert len(second.organization.slug) <= 40
    with pytest.raises(Conflict) as caught:
        await memory.organizations.create(memory.owner, name="other", slug=first.organization.slug)
    assert caught.value.code == "slug_taken"


async def test_two_that_want_the_same_slug_at_once_both_get_an_organization(memory: Memory) -> None:
    async def be_faster() -> None:
        await memory.organizations.create(memory.member, name="Team")

    memory.racing.interference.append(be_faster)

    view = await memory.organizations.create(memory.owner, name="Team")

    assert view.organization.slug.startswith("team-")


async def test_a_repeated_request_gets_the_same_organization_even_with_the_roles_of_before(memory: Memory) -> None:
    first = await memory.organizations.create(memory.owner, name="Team", idempotency=KEY)

    again = await memory.organizations.create(memory.owner, name="Team", idempotency=KEY)

    assert again == first
    assert await memory.audit(first.organization.id) == {"org.create": 1}


async def test_of_two_equal_requests_at_once_one_makes_it_and_both_get_it(memory: Memory) -> None:
    made = []

    async def be_faster() -> None:
        made.append(await memory.organizations.create(memory.owner, name="Team", idempotency=KEY))

    memory.racing.interference.append(be_faster)

    assert await memory.organizations.create(memory.owner, name="Team", idempotency=KEY) == made[0]


async def test_the_same_key_with_another_body_is_refused_until_it_is_forgotten(memory: Memory) -> None:
    other = IdempotencyKey(key="k", fingerprint=b"2")
    await memory.organizations.create(memory.owner, name="Team", idempotency=KEY)

    with pytest.raises(Invalid) as caught:
        await memory.organizations.create(memory.owner, name="Other", idempotency=other)
    memory.clock.advance(REMEMBERED_FOR.total_seconds())
    made = await memory.organizations.create(memory.owner, name="Other", idempotency=other)

    assert caught.value.code == "idempotency_key_reused"
    assert made.organization.name == "Other"


async def test_a_key_makes_no_organization(memory: Memory) -> None:
    key = an_actor(kind=ActorKind.API_KEY, user_id=USER, api_key_id=ApiKeyId("key_1"), scopes=frozenset({Scope.ALL}))

    with pytest.raises(Forbidden):
        await memory.organizations.create(key, name="Team")


async def test_one_sees_one_s_own_organizations_alone(memory: Memory) -> None:
    page = await memory.organizations.list(memory.member, PageRequest())

    assert [(view.organization.id, view.role) for view in page.items] == [(ORG, Role.MEMBER)]
    with pytest.raises(NotFound):
        await memory.organizations.get(memory.member, OTHER_ORG)


async def test_an_organization_gets_another_name_and_slug(memory: Memory) -> None:
    view = await memory.organizations.update(memory.owner, ORG, name="Other", slug="other")

    assert (view.organization.name, view.organization.slug) == ("Other", "other")
    assert await memory.organizations.get(memory.owner, ORG) == view
    assert await memory.audit() == {"org.update": 1}


async def test_what_is_not_named_stays_and_no_change_is_none(memory: Memory) -> None:
    before = await memory.organizations.get(memory.owner, ORG)

    assert await memory.organizations.update(memory.owner, ORG, name=before.organization.name) == before
    assert await memory.audit() == {}


async def test_a_member_renames_nothing_and_an_admin_deletes_nothing(memory: Memory) -> None:
    with pytest.raises(Forbidden):
        await memory.organizations.update(memory.member, ORG, name="Mine")
    with pytest.raises(Forbidden):
        await memory.organizations.delete(an_actor(user_id=OTHER_USER, role=Role.ADMIN), ORG)
    # The owner that this one says to be it is no longer.
    with pytest.raises(Forbidden):
        await memory.organizations.delete(an_actor(user_id=OTHER_USER, role=Role.OWNER), ORG)


async def test_an_organization_that_holds_something_stays(memory: Memory) -> None:
    await memory.add_node()
    await memory.add_project("one")
    await memory.add_project("two")

    with pytest.raises(Conflict) as caught:
        await memory.organizations.delete(memory.owner, ORG)

    assert caught.value.code == "organization_not_empty"
    assert caught.value.fields["holds"] == {"nodes": 1, "projects": 2}
    assert "1 node and 2 projects" in caught.value.message


async def test_with_an_empty_organization_its_memberships_end(memory: Memory) -> None:
    token = (await memory.access.open_session(OTHER_USER)).token
    await memory.access.authenticate(token)

    await memory.organizations.delete(memory.owner, ORG)

    assert (await memory.access.authenticate(token)).roles == {}
    assert await memory.audit() == {"org.delete": 1}
    with pytest.raises(NotFound):
        await memory.organizations.get(memory.owner, ORG)
    with pytest.raises(NotFound):
        await memory.add_project()
