"""The first owner and organization: made once, found again whatever people have made of them."""

from tests.unit.core.memory import Memory

from spunto.core.access.policy import Role
from spunto.core.orgs.bootstrap import owner_of


async def test_the_first_owner_is_made_once(memory: Memory) -> None:
    first = await memory.bootstrap.ensure_owner()

    assert await memory.bootstrap.ensure_owner() == first
    assert (first[0].email, first[1].slug) == ("owner@localhost", "default")
    assert (await memory.organizations.get(owner_of(*first), first[1].id)).role is Role.OWNER


async def test_a_renamed_organization_is_still_theirs(memory: Memory) -> None:
    user, organization = await memory.bootstrap.ensure_owner()
    renamed = await memory.organizations.update(owner_of(user, organization), organization.id, slug="acme")

    assert await memory.bootstrap.ensure_owner() == (user, renamed.organization)


async def test_after_a_deleted_organization_there_is_a_new_one(memory: Memory) -> None:
    user, organization = await memory.bootstrap.ensure_owner()
    await memory.organizations.delete(owner_of(user, organization), organization.id)

    again, made = await memory.bootstrap.ensure_owner()

    assert (again, made.slug, made.id != organization.id) == (user, "default", True)


async def test_what_they_only_belong_to_is_not_theirs(memory: Memory) -> None:
    user, organization = await memory.bootstrap.ensure_owner()
    owner = owner_of(user, organization)
    made = await memory.invitations.create(owner, organization.id, email="guest@example.org", role=Role.OWNER)
    guest = await memory.a_user("guest@example.org")
    await memory.invitations.accept(guest, made.token)
    await memory.members.change_role(owner, organization.id, user.id, Role.ADMIN)

    _, other = await memory.bootstrap.ensure_owner()

    assert other.id != organization.id
    assert other.slug.startswith("default-")
    assert await memory.bootstrap.ensure_owner() == (user, other)


async def test_two_starts_at_once_make_one_owner(memory: Memory) -> None:
    faster = []

    async def be_faster() -> None:
        faster.append(await memory.bootstrap.ensure_owner())

    memory.racing.interference.append(be_faster)

    assert [await memory.bootstrap.ensure_owner()] == faster
