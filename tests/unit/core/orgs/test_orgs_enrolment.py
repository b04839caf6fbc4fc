"""People whom an embedding program vouches for."""

from collections.abc import AsyncIterator

import pytest

from spunto.core.access.model import Actor
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import Conflict, Forbidden, NotFound
from spunto.core.kernel.paging import PageRequest
from spunto.core.orgs.model import Organization
from spunto.entrypoints.library import Spunto


async def enrol(
    spunto: Spunto, actor: Actor, organization: Organization, subject: str = "pupil-1", *, role: Role = Role.MEMBER
) -> Actor:
    return await spunto.enrolment.enrol(
        actor, organization.id, subject=subject, name="Ada", email="ada@school.example", role=role
    )


@pytest.fixture
async def spunto() -> AsyncIterator[Spunto]:
    async with Spunto.in_memory() as opened:
        yield opened


@pytest.fixture
async def founded(spunto: Spunto) -> tuple[Actor, Organization]:
    return await spunto.bootstrap()


async def test_a_person_acts_with_their_own_role(spunto: Spunto, founded: tuple[Actor, Organization]) -> None:
    owner, organization = founded

    ada = await enrol(spunto, owner, organization)

    assert (ada.user_id, ada.roles) == ((await spunto.users.get(ada)).id, {organization.id: Role.MEMBER})
    assert await spunto.enrolment.actor_of("pupil-1") == ada
    with pytest.raises(Forbidden):
        await spunto.nodes.create(ada, organization.id, name="mine")


async def test_enrolling_again_changes_nothing(spunto: Spunto, founded: tuple[Actor, Organization]) -> None:
    owner, organization = founded
    ada = await enrol(spunto, owner, organization)
    assert ada.user_id is not None
    await spunto.members.change_role(owner, organization.id, ada.user_id, Role.ADMIN)

    again = await enrol(spunto, owner, organization)

    assert (again.user_id, again.roles) == (ada.user_id, {organization.id: Role.ADMIN})
    members = await spunto.members.list(owner, organization.id, PageRequest())
    assert sorted(member.user.name for member in members.items) == ["Ada", "Owner"]


async def test_an_admin_enrols_nobody_above_themselves_and_a_member_nobody(
    spunto: Spunto, founded: tuple[Actor, Organization]
) -> None:
    owner, organization = founded
    admin = await enrol(spunto, owner, organization, role=Role.ADMIN)
    member = await spunto.enrolment.enrol(owner, organization.id, subject="2", name="B", email="b@school.example")

    for actor, role in ((admin, Role.OWNER), (member, Role.MEMBER)):
        with pytest.raises(Forbidden) as refused:
            await spunto.enrolment.enrol(
                actor, organization.id, subject="3", name="C", email="c@school.example", role=role
            )
        assert refused.value.code == "role_required"


async def test_an_address_is_one_person_s(spunto: Spunto, founded: tuple[Actor, Organization]) -> None:
    owner, organization = founded
    await enrol(spunto, owner, organization)

    with pytest.raises(Conflict) as refused:
        await enrol(spunto, owner, organization, "pupil-2")

    assert refused.value.code == "email_taken"


async def test_nobody_acts_as_somebody_unknown(spunto: Spunto) -> None:
    with pytest.raises(NotFound):
        await spunto.enrolment.actor_of("pupil-1")
