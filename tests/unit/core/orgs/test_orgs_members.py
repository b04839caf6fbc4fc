"""Members: who gives which role to whom, who removes whom, and that somebody always owns the organization."""

import pytest
from tests.unit.core.builders import ORG, OTHER_USER, USER, an_actor
from tests.unit.core.memory import Memory

from spunto.core.access.model import Actor, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import Conflict, Forbidden, NotFound
from spunto.core.kernel.paging import PageRequest
from spunto.core.orgs.model import Membership, User

THIRD = UserId("usr_00000000000000000000000002")


async def a_third(memory: Memory, role: Role) -> Actor:
    now = memory.clock.now()
    async with memory.store() as tx:
        await tx.members.add_user(User(id=THIRD, name="third", email="third@example.org", created_at=now))
        await tx.members.add(Membership(org_id=ORG, user_id=THIRD, role=role, joined_at=now))
        await tx.commit()
    return an_actor(user_id=THIRD, role=role)


async def roles(memory: Memory) -> dict[UserId, Role]:
    page = await memory.members.list(memory.owner, ORG, PageRequest())
    return {member.user.id: member.role for member in page.items}


async def test_an_admin_gives_the_roles_below_owner(memory: Memory) -> None:
    admin = await a_third(memory, Role.ADMIN)

    promoted = await memory.members.change_role(admin, ORG, OTHER_USER, Role.ADMIN)
    await memory.members.change_role(admin, ORG, THIRD, Role.MEMBER)

    assert (promoted.user.id, promoted.role) == (OTHER_USER, Role.ADMIN)
    assert await roles(memory) == {USER: Role.OWNER, OTHER_USER: Role.ADMIN, THIRD: Role.MEMBER}
    assert await memory.audit() == {"member.update": 2}


@pytest.mark.parametrize(("target", "role"), [(OTHER_USER, Role.OWNER), (USER, Role.MEMBER), (USER, Role.OWNER)])
async def test_an_admin_neither_makes_nor_unmakes_owners(memory: Memory, target: UserId, role: Role) -> None:
    admin = await a_third(memory, Role.ADMIN)
    before = await roles(memory)

    with pytest.raises(Forbidden) as caught:
        await memory.members.change_role(admin, ORG, target, role)

    assert (caught.value.code, caught.value.fields["requiredRole"]) == ("role_required", "owner")
    assert await roles(memory) == before


async def test_a_member_gives_no_roles(memory: Memory) -> None:
    with pytest.raises(Forbidden):
        await memory.members.change_role(memory.member, ORG, OTHER_USER, Role.ADMIN)


async def test_the_role_that_counts_is_the_one_of_now(memory: Memory) -> None:
    admin = await a_third(memory, Role.ADMIN)
    await memory.members.change_role(memory.owner, ORG, THIRD, Role.MEMBER)

    with pytest.raises(Forbidden):
        await memory.members.change_role(admin, ORG, OTHER_USER, Role.ADMIN)
    with pytest.raises(Forbidden):
        await memory.members.remove(admin, ORG, OTHER_USER)


async def test_the_last_owner_neither_leaves_nor_steps_down(memory: Memory) -> None:
    with pytest.raises(Conflict) as left:
        await memory.members.remove(memory.owner, ORG, USER)
    with pytest.raises(Conflict) as demoted:
        await memory.members.change_role(memory.owner, ORG, USER, Role.ADMIN)

    assert (left.value.code, demoted.value.code) == ("last_owner", "last_owner")


async def test_an_owner_leaves_after_naming_another_one(memory: Memory) -> None:
    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.OWNER)

    await memory.members.remove(memory.owner, ORG, USER)

    assert await memory.audit() == {"member.update": 1, "member.remove": 1}
    with pytest.raises(NotFound):
        await memory.members.remove(memory.owner, ORG, OTHER_USER)


async def test_the_role_that_somebody_has_already_is_no_change(memory: Memory) -> None:
    await memory.members.change_role(memory.owner, ORG, USER, Role.OWNER)
    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.MEMBER)

    assert await memory.audit() == {}


async def test_everybody_may_leave_and_members_remove_nobody_else(memory: Memory) -> None:
    await a_third(memory, Role.MEMBER)

    with pytest.raises(Forbidden) as caught:
        await memory.members.remove(memory.member, ORG, THIRD)
    await memory.members.remove(memory.member, ORG, OTHER_USER)

    assert caught.value.fields["requiredRole"] == "admin"
    assert set(await roles(memory)) == {USER, THIRD}


async def test_an_admin_removes_all_but_owners(memory: Memory) -> None:
    admin = await a_third(memory, Role.ADMIN)
    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.ADMIN)

    with pytest.raises(Forbidden) as caught:
        await memory.members.remove(admin, ORG, USER)
    await memory.members.remove(admin, ORG, OTHER_USER)

    assert caught.value.fields["requiredRole"] == "owner"
    assert set(await roles(memory)) == {USER, THIRD}


async def test_who_is_no_member_is_not_found(memory: Memory) -> None:
    for change in (
        memory.members.remove(memory.owner, ORG, THIRD),
        memory.members.change_role(memory.owner, ORG, THIRD, Role.ADMIN),
    ):
        with pytest.raises(NotFound) as caught:
            await change
        assert caught.value.code == "member_not_found"


async def test_a_removed_person_is_recognised_without_the_organization_at_once(memory: Memory) -> None:
    token = (await memory.access.open_session(OTHER_USER)).token
    assert (await memory.access.authenticate(token)).roles == {ORG: Role.MEMBER}

    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.ADMIN)
    promoted = await memory.access.authenticate(token)
    await memory.members.remove(memory.owner, ORG, OTHER_USER)

    assert promoted.roles == {ORG: Role.ADMIN}
    assert (await memory.access.authenticate(token)).roles == {}


async def test_the_workers_of_a_removed_person_stay_and_admins_stop_them(memory: Memory) -> None:
    await memory.add_node()
    project = await memory.add_project()
    worker = (await memory.workers.spawn(memory.member, ORG, project.id)).worker
    admin = await a_third(memory, Role.ADMIN)

    await memory.members.remove(admin, ORG, OTHER_USER)

    stopped = await memory.workers.stop(admin, ORG, project.id, worker.id)
    assert stopped.worker.user_id == OTHER_USER
