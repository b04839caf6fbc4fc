"""The contract of invitations, and of the races for one."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from spunto.core.access.model import Actor, ActorKind, OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.paging import PageRequest
from spunto.core.orgs.invitation import Invitation, InvitationId, MailState
from spunto.core.orgs.invitations import InvitationService
from spunto.core.orgs.model import Membership
from spunto.testing.contracts.store import LATER, NOW, Store, a_tenant, a_user, an_id, organization_in

CLIENTS = 64


def an_invitation(org_id: OrgId, **changes: Any) -> Invitation:
    invitation_id = an_id("inv")
    fields: dict[str, Any] = {
        "id": InvitationId(invitation_id),
        "org_id": org_id,
        "email": f"{invitation_id}@host",
        "role": Role.MEMBER,
        "invited_by": UserId("usr_1"),
        "token_hash": invitation_id.encode(),
        "created_at": NOW,
        "expires_at": LATER,
    }
    return Invitation(**fields | changes)


async def invitation_in(store: Store, org_id: OrgId, **changes: Any) -> Invitation:
    invitation = an_invitation(org_id, **changes)
    async with store() as tx:
        await tx.invitations.put(invitation)
        await tx.commit()
    return invitation


class InvitationRepositoryContract:
    async def test_an_invitation_comes_back_whole(self, store: Store) -> None:
        tenant = a_tenant((await organization_in(store)).id)
        invitation = await invitation_in(store, tenant.org_id)

        async with store() as tx:
            changed = replace(invitation, mail_token_hash=b"\x00mail", mail=MailState.SENT)
            updated = await tx.invitations.update(changed)
            await tx.commit()

        assert updated == replace(changed, version=2)
        async with store.reading() as tx:
            assert await tx.invitations.get(tenant, invitation.id) == updated
            assert await tx.invitations.find(invitation.id) == updated
            assert await tx.invitations.find_by_token(invitation.token_hash) == updated
            assert await tx.invitations.find_by_token(b"\x00mail") == updated

    async def test_what_is_not_there_is_not_found(self, store: Store) -> None:
        tenant = a_tenant((await organization_in(store)).id)
        foreign = await invitation_in(store, (await organization_in(store)).id)

        async with store.reading() as tx:
            for invitation_id in (foreign.id, an_invitation(tenant.org_id).id):
                with pytest.raises(NotFound) as caught:
                    await tx.invitations.get(tenant, invitation_id)
                assert caught.value.code == "invitation_not_found"
            assert await tx.invitations.find(an_invitation(tenant.org_id).id) is None
            assert await tx.invitations.find_by_token(b"another") is None

    async def test_a_second_one_to_an_address_takes_the_place_of_the_first(self, store: Store) -> None:
        tenant, other = a_tenant((await organization_in(store)).id), (await organization_in(store)).id
        first = await invitation_in(store, tenant.org_id, email="bob@host")
        elsewhere = await invitation_in(store, other, email="bob@host")

        second = await invitation_in(store, tenant.org_id, email="bob@host")

        async with store.reading() as tx:
            assert await tx.invitations.find(first.id) is None
            assert await tx.invitations.find(second.id) == second
            assert await tx.invitations.find(elsewhere.id) == elsewhere

    async def test_the_good_ones_of_the_tenant_are_listed_newest_first(self, store: Store) -> None:
        tenant = a_tenant((await organization_in(store)).id)
        older = await invitation_in(store, tenant.org_id)
        await invitation_in(store, tenant.org_id, expires_at=NOW)
        newer = await invitation_in(store, tenant.org_id)
        await invitation_in(store, (await organization_in(store)).id)

        async with store.reading() as tx:
            page = await tx.invitations.list(tenant, PageRequest(limit=1), now=NOW)
            rest = await tx.invitations.list(tenant, PageRequest(limit=1, before=page.next_before), now=NOW)

        assert (page.items, rest.items, rest.next_before) == ([newer], [older], None)

    async def test_an_outdated_one_is_not_updated_and_a_gone_one_not_removed(self, store: Store) -> None:
        tenant = a_tenant((await organization_in(store)).id)
        invitation = await invitation_in(store, tenant.org_id)
        async with store() as tx:
            await tx.invitations.update(invitation)
            await tx.commit()

        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.invitations.update(invitation)
        async with store() as tx:
            await tx.invitations.remove(invitation)
            await tx.commit()
        for change in ("update", "remove"):
            with pytest.raises(StaleVersion):
                async with store() as tx:
                    await getattr(tx.invitations, change)(invitation)

    async def test_those_that_somebody_made_are_removed_by_role(self, store: Store) -> None:
        tenant, other = a_tenant((await organization_in(store)).id), (await organization_in(store)).id
        owner = await invitation_in(store, tenant.org_id, role=Role.OWNER)
        kept = [
            await invitation_in(store, tenant.org_id, role=Role.MEMBER),
            await invitation_in(store, tenant.org_id, role=Role.OWNER, invited_by=UserId("usr_2")),
            await invitation_in(store, other, role=Role.OWNER),
        ]

        async with store() as tx:
            assert await tx.invitations.remove_made_by(tenant, UserId("usr_1"), roles={Role.OWNER, Role.ADMIN}) == 1
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.invitations.find(owner.id) is None
            assert [await tx.invitations.find(each.id) for each in kept] == kept

    async def test_they_go_with_their_organization(self, store: Store) -> None:
        organization = await organization_in(store)
        invitation = await invitation_in(store, organization.id)

        async with store() as tx:
            await tx.organizations.remove(organization)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.invitations.find(invitation.id) is None
            assert await tx.organizations.find(organization.id) is None

    async def test_of_many_redemptions_of_a_token_one_wins(self, store: Store) -> None:
        organization, inviter, guest = await organization_in(store), a_user(), a_user()
        async with store() as tx:
            for user in (inviter, guest):
                await tx.members.add_user(user)
            owner = Membership(org_id=organization.id, user_id=inviter.id, role=Role.OWNER, joined_at=NOW)
            await tx.members.add(owner)
            await tx.commit()
        clock = ManualClock()
        invitations = InvitationService(
            store, auditor=Auditor(clock=clock, ids=TimeOrderedIds(clock)), clock=clock, ids=TimeOrderedIds(clock)
        )
        host = _somebody(inviter.id, {organization.id: Role.OWNER})
        invited = await invitations.create(host, organization.id, email=guest.email, role=Role.ADMIN)

        async def accept() -> str:
            try:
                await invitations.accept(_somebody(guest.id, {}), invited.token)
            except NotFound as error:
                return error.code
            return "joined"

        outcomes = await asyncio.gather(*(accept() for _ in range(CLIENTS)))

        assert sorted(outcomes) == ["invitation_not_found"] * (CLIENTS - 1) + ["joined"]
        async with store.reading() as tx:
            assert await tx.grants.roles_of(guest.id) == {organization.id: Role.ADMIN}

    async def test_of_many_invitations_of_an_address_at_once_one_is_left(self, store: Store) -> None:
        organization, inviter = await organization_in(store), a_user()
        async with store() as tx:
            await tx.members.add_user(inviter)
            owner = Membership(org_id=organization.id, user_id=inviter.id, role=Role.OWNER, joined_at=NOW)
            await tx.members.add(owner)
            await tx.commit()
        clock = ManualClock()
        invitations = InvitationService(
            store, auditor=Auditor(clock=clock, ids=TimeOrderedIds(clock)), clock=clock, ids=TimeOrderedIds(clock)
        )
        host = _somebody(inviter.id, {organization.id: Role.OWNER})

        await asyncio.gather(
            *(invitations.create(host, organization.id, email="bob@host", role=Role.MEMBER) for _ in range(4))
        )

        page = await invitations.list(host, organization.id, PageRequest())
        assert [each.email for each in page.items] == ["bob@host"]


def _somebody(user_id: UserId, roles: dict[OrgId, Role]) -> Actor:
    return Actor(kind=ActorKind.USER, user_id=user_id, credential_id="ses_1", roles=roles)
