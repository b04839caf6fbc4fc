"""Invitations: who may invite whom as what, and who joins by them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.core.builders import ORG, OTHER_USER, USER, an_actor
from tests.unit.core.memory import Memory

from spunto.core.access.model import Actor, UserId
from spunto.core.access.policy import Role, Scope
from spunto.core.kernel.errors import Conflict, Forbidden, NotFound
from spunto.core.kernel.idempotency import IdempotencyKey
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.invitation import LIFETIME, Invited, MailState, folded, givable_by
from spunto.core.orgs.model import User

GUEST = UserId("usr_00000000000000000000000009")
KEY = IdempotencyKey(key="k", fingerprint=b"1")


async def a_guest(memory: Memory, email: str = "guest@example.org") -> Actor:
    """Somebody who signed in and belongs to no organization."""
    async with memory.store() as tx:
        await tx.members.add_user(User(id=GUEST, name="Guest", email=email, created_at=memory.clock.now()))
        await tx.commit()
    return an_actor(user_id=GUEST, roles={})


async def invited(memory: Memory, *, by: Actor | None = None, role: Role = Role.MEMBER) -> Invited:
    return await memory.invitations.create(by or memory.owner, ORG, email="guest@example.org", role=role)


async def open_ones(memory: Memory) -> list[str]:
    return [each.email for each in (await memory.invitations.list(memory.owner, ORG, PageRequest())).items]


async def test_an_invitation_is_for_one_address_and_a_week(memory: Memory) -> None:
    made = await memory.invitations.create(memory.owner, ORG, email="Guest@Example.ORG", role=Role.ADMIN)

    invitation, now = made.invitation, memory.clock.now()
    assert (invitation.email, invitation.role, invitation.invited_by) == ("guest@example.org", Role.ADMIN, USER)
    assert (invitation.expires_at, invitation.mail) == (now + timedelta(days=7), MailState.PENDING)
    assert (await memory.invitations.list(memory.owner, ORG, PageRequest())).items == [invitation]
    assert made.token.reveal() not in repr(made)
    assert await memory.audit() == {"invitation.create": 1}


async def test_who_has_the_address_joins_with_the_role_once(memory: Memory) -> None:
    guest = await a_guest(memory, email="Guest@Example.org")
    made = await invited(memory, role=Role.ADMIN)

    view = await memory.invitations.accept(guest, made.token)

    assert (view.organization.id, view.role) == (ORG, Role.ADMIN)
    assert await open_ones(memory) == []
    assert await memory.audit() == {"invitation.create": 1, "invitation.accept": 1}
    with pytest.raises(NotFound) as caught:
        await memory.invitations.accept(guest, made.token)
    assert caught.value.code == "invitation_not_found"


async def test_who_joins_is_recognised_as_a_member_at_once(memory: Memory) -> None:
    guest, made = await a_guest(memory), await invited(memory)
    token = (await memory.access.open_session(GUEST)).token
    assert (await memory.access.authenticate(token)).roles == {}

    await memory.invitations.accept(guest, made.token)

    assert (await memory.access.authenticate(token)).roles == {ORG: Role.MEMBER}


async def test_another_address_does_not_join_and_leaves_the_invitation_good(memory: Memory) -> None:
    made = await invited(memory)
    stranger = an_actor(user_id=OTHER_USER, roles={})

    with pytest.raises(Forbidden) as caught:
        await memory.invitations.accept(stranger, made.token)

    assert caught.value.code == "invitation_of_another_address"
    assert "guest" not in caught.value.message
    await memory.invitations.accept(await a_guest(memory), made.token)


# U+212A is the sign for kelvin, which Unicode's own folding makes a k.
@pytest.mark.parametrize(("invited", "other"), [("kim@host", "\u212aim@host"), ("strasse@host", "straße@host")])
def test_addresses_that_only_unicode_takes_for_equal_are_not(invited: str, other: str) -> None:
    assert invited.casefold() == other.casefold()

    assert folded(invited) != folded(other)


async def test_an_invitation_expires(memory: Memory) -> None:
    guest, made = await a_guest(memory), await invited(memory)

    memory.clock.advance(LIFETIME.total_seconds())

    assert await open_ones(memory) == []
    with pytest.raises(NotFound):
        await memory.invitations.accept(guest, made.token)
    with pytest.raises(NotFound):
        await memory.invitations.preview(made.token)


async def test_a_second_invitation_ends_the_first(memory: Memory) -> None:
    guest, first = await a_guest(memory), await invited(memory)

    second = await invited(memory, role=Role.ADMIN)

    assert await open_ones(memory) == ["guest@example.org"]
    with pytest.raises(NotFound):
        await memory.invitations.accept(guest, first.token)
    assert (await memory.invitations.accept(guest, second.token)).role is Role.ADMIN


async def test_a_revoked_one_is_dead(memory: Memory) -> None:
    guest, made = await a_guest(memory), await invited(memory)

    await memory.invitations.revoke(memory.owner, ORG, made.invitation.id)

    with pytest.raises(NotFound):
        await memory.invitations.accept(guest, made.token)
    with pytest.raises(NotFound):
        await memory.invitations.revoke(memory.owner, ORG, made.invitation.id)
    assert await memory.audit() == {"invitation.create": 1, "invitation.revoke": 1}


async def test_what_is_wrong_with_a_token_is_not_told(memory: Memory) -> None:
    guest = await a_guest(memory)

    with pytest.raises(NotFound) as caught:
        await memory.invitations.accept(guest, Secret("spi_guess"))

    assert caught.value.code == "invitation_not_found"


async def test_who_has_the_link_sees_what_it_is_for(memory: Memory) -> None:
    made = await invited(memory, role=Role.ADMIN)

    preview = await memory.invitations.preview(made.token)

    assert (preview.organization, preview.email, preview.role) == ("Org", "guest@example.org", Role.ADMIN)


async def test_members_are_not_invited_and_do_not_invite(memory: Memory) -> None:
    with pytest.raises(Conflict) as caught:
        await memory.invitations.create(memory.owner, ORG, email=f"{OTHER_USER}@Example.org", role=Role.ADMIN)
    with pytest.raises(Forbidden):
        await invited(memory, by=memory.member)
    with pytest.raises(Forbidden):
        await memory.invitations.list(memory.member, ORG, PageRequest())

    assert caught.value.code == "member_already"


async def test_only_owners_invite_owners(memory: Memory) -> None:
    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.ADMIN)
    admin = an_actor(user_id=OTHER_USER, role=Role.ADMIN)

    with pytest.raises(Forbidden) as caught:
        await invited(memory, by=admin, role=Role.OWNER)

    assert caught.value.fields["requiredRole"] == "owner"
    assert (await invited(memory, role=Role.OWNER)).invitation.role is Role.OWNER


async def test_who_was_demoted_a_moment_ago_invites_nobody(memory: Memory) -> None:
    with pytest.raises(Forbidden):
        await invited(memory, by=an_actor(user_id=OTHER_USER, role=Role.ADMIN))


async def test_a_key_neither_invites_nor_joins(memory: Memory) -> None:
    made = await invited(memory)
    key = replace(memory.owner, scopes=frozenset({Scope.ALL}))

    with pytest.raises(Forbidden):
        await invited(memory, by=key)
    with pytest.raises(Forbidden):
        await memory.invitations.accept(key, made.token)


async def test_invitations_of_somebody_removed_are_dead(memory: Memory) -> None:
    guest = await a_guest(memory)
    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.ADMIN)
    made = await invited(memory, by=an_actor(user_id=OTHER_USER, role=Role.ADMIN))

    await memory.members.remove(memory.owner, ORG, OTHER_USER)

    with pytest.raises(NotFound):
        await memory.invitations.accept(guest, made.token)


async def test_a_demotion_ends_the_invitations_beyond_the_new_role(memory: Memory) -> None:
    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.OWNER)
    other = an_actor(user_id=OTHER_USER)
    for role in Role:
        await memory.invitations.create(other, ORG, email=f"{role}@example.org", role=role)

    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.ADMIN)
    assert set(await open_ones(memory)) == {"admin@example.org", "member@example.org"}

    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.MEMBER)
    assert await open_ones(memory) == []


async def test_a_deleted_organization_takes_its_invitations_along(memory: Memory) -> None:
    guest, made = await a_guest(memory), await invited(memory)

    await memory.organizations.delete(memory.owner, ORG)

    with pytest.raises(NotFound):
        await memory.invitations.accept(guest, made.token)


async def test_a_repeated_request_is_told_that_its_link_is_kept_nowhere(memory: Memory) -> None:
    guest = await a_guest(memory)
    first = await memory.invitations.create(
        memory.owner, ORG, email="guest@example.org", role=Role.MEMBER, idempotency=KEY
    )

    with pytest.raises(Conflict) as caught:
        await memory.invitations.create(memory.owner, ORG, email="guest@example.org", role=Role.MEMBER, idempotency=KEY)

    assert (caught.value.code, caught.value.fields) == ("token_not_repeatable", {"id": first.invitation.id})
    assert await memory.audit() == {"invitation.create": 1}
    await memory.invitations.accept(guest, first.token)


async def test_a_repeated_acceptance_gets_the_same_organization(memory: Memory) -> None:
    guest, made = await a_guest(memory), await invited(memory)
    first = await memory.invitations.accept(guest, made.token, idempotency=KEY)

    assert await memory.invitations.accept(guest, made.token, idempotency=KEY) == first


async def test_of_two_acceptances_at_once_the_later_commit_loses(memory: Memory) -> None:
    guest, made = await a_guest(memory), await invited(memory)

    async def be_faster() -> None:
        await memory.invitations.accept(guest, made.token)

    memory.racing.interference.append(be_faster)

    with pytest.raises(NotFound):
        await memory.invitations.accept(guest, made.token)
    assert (await memory.audit())["invitation.accept"] == 1


async def test_who_invites_while_being_removed_invited_nobody(memory: Memory) -> None:
    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.ADMIN)

    async def be_faster() -> None:
        await memory.members.remove(memory.owner, ORG, OTHER_USER)

    memory.racing.interference.append(be_faster)

    with pytest.raises(NotFound):
        await invited(memory, by=an_actor(user_id=OTHER_USER, role=Role.ADMIN))
    assert await open_ones(memory) == []


def test_nobody_invites_beyond_their_own_role() -> None:
    assert {role: givable_by(role) for role in (*Role, None)} == {
        Role.OWNER: frozenset(Role),
        Role.ADMIN: {Role.ADMIN, Role.MEMBER},
        Role.MEMBER: frozenset(),
        None: frozenset(),
    }
