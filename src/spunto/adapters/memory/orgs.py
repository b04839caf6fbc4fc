"""Organizations, members and remembered requests in memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.rows import Draft, Table
from spunto.core.access.model import Actor, OrgId, Tenant, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import Conflict, NotFound, StaleVersion
from spunto.core.kernel.idempotency import REMEMBERED_FOR, IdempotencyKey, Remembered
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.orgs.invitation import Invitation, InvitationId
from spunto.core.orgs.model import Identity, Member, Membership, Organization, OrganizationView, User


class _Owned(Protocol):
    @property
    def org_id(self) -> OrgId: ...


Rows = Callable[[], Iterable[_Owned]]


class MemoryOrganizations:
    def __init__(
        self,
        organizations: Table[OrgId, Organization],
        memberships: Draft[tuple[OrgId, UserId], Membership],
        invitations: Draft[InvitationId, Invitation],
        names: Draft[tuple[str, ...], str],
        held: Mapping[str, Rows],
        at_commit: Callable[[Callable[[], None]], None],
        remove_webhooks: Callable[[OrgId], None],
    ) -> None:
        self._organizations = organizations
        self._memberships = memberships
        self._invitations = invitations
        self._names = names
        self._held = held
        self._at_commit = at_commit
        self._remove_webhooks = remove_webhooks

    async def add(self, organization: Organization) -> None:
        self._claim_slug(organization)
        self._organizations.put(organization.id, organization)

    async def get(self, tenant: Tenant) -> Organization:
        found = self._organizations.get(tenant.org_id)
        if found is None:
            raise NotFound("organization_not_found", f"There is no organization {tenant.org_id!r}.", id=tenant.org_id)
        return found

    async def list_of(self, actor: Actor, page: PageRequest) -> Page[OrganizationView]:
        views = (
            OrganizationView(organization=organization, role=actor.roles[organization.id])
            for organization in self._organizations.values()
            if organization.id in actor.roles
        )
        return page_of(views, page, id_of=lambda view: view.organization.id)

    async def find(self, org_id: OrgId) -> Organization | None:
        return self._organizations.get(org_id)

    async def find_by_slug(self, slug: str) -> Organization | None:
        held = self._names.get(("slug", slug))
        return None if held is None else self._organizations.get(OrgId(held))

    async def hold(self, tenant: Tenant) -> None:
        held = await self.get(tenant)

        def refuse_if_locked_meanwhile() -> None:
            if self._organizations.get(tenant.org_id) is not held:
                raise StaleVersion("organization", tenant.org_id)

        self._at_commit(refuse_if_locked_meanwhile)

    async def lock(self, tenant: Tenant) -> Organization:
        held = await self.get(tenant)
        # A changed row is what lets the later one of two transactions lose.
        self._organizations.put(held.id, replace(held))
        return held

    async def update(self, organization: Organization) -> Organization:
        before = self._organizations.current(organization)
        if before.slug != organization.slug:
            self._claim_slug(organization)
            self._names.drop(("slug", before.slug))
        return self._organizations.update(organization)

    async def holdings(self, tenant: Tenant) -> Mapping[str, int]:
        return self._holdings(tenant.org_id)

    async def remove(self, organization: Organization) -> None:
        before = self._organizations.current(organization)

        def refuse_if_filled() -> None:
            if self._holdings(before.id):
                raise StaleVersion("organization", before.id)

        self._at_commit(refuse_if_filled)
        for membership in [held for held in self._memberships.values() if held.org_id == before.id]:
            self._memberships.drop((membership.org_id, membership.user_id))
        for invitation in [each for each in self._invitations.values() if each.org_id == before.id]:
            self._invitations.drop(invitation.id)
        self._remove_webhooks(before.id)
        self._names.drop(("slug", before.slug))
        self._organizations.drop(before.id)

    def _holdings(self, org_id: OrgId) -> Mapping[str, int]:
        return Counter(kind for kind, rows in self._held.items() for row in rows() if row.org_id == org_id)

    def _claim_slug(self, organization: Organization) -> None:
        if self._names.get(("slug", organization.slug)) is not None:
            raise Conflict("slug_taken", f"The slug {organization.slug!r} is taken; choose another one.")
        self._names.put(("slug", organization.slug), organization.id)


class MemoryMembers:
    def __init__(
        self,
        users: Table[UserId, User],
        memberships: Draft[tuple[OrgId, UserId], Membership],
        names: Draft[tuple[str, ...], str],
    ) -> None:
        self._users = users
        self._memberships = memberships
        self._names = names

    async def add_user(self, user: User) -> None:
        self._claim_email(user)
        self._users.put(user.id, user)

    async def find_user_by_email(self, email: str) -> User | None:
        held = self._names.get(("email", email))
        return None if held is None else self._users.get(UserId(held))

    async def get_user(self, user_id: UserId) -> User:
        user = self._users.get(user_id)
        if user is None:
            raise NotFound("user_not_found", f"There is no user {user_id!r}.", id=user_id)
        return user

    async def update_user(self, user: User) -> User:
        before = self._users.current(user)
        if before.email != user.email:
            self._claim_email(user)
            self._names.drop(("email", before.email))
        return self._users.update(user)

    async def add(self, membership: Membership) -> None:
        key = (membership.org_id, membership.user_id)
        if self._memberships.get(key) is not None:
            raise Conflict("member_already", "This user is a member already.", id=membership.user_id)
        self._memberships.put(key, membership)

    async def get(self, tenant: Tenant, user_id: UserId) -> Membership:
        held = self._memberships.get((tenant.org_id, user_id))
        if held is None:
            raise NotFound("member_not_found", f"The organization has no member {user_id!r}.", id=user_id)
        return held

    async def count_owners(self, tenant: Tenant) -> int:
        return sum(held.org_id == tenant.org_id and held.role is Role.OWNER for held in self._memberships.values())

    async def update(self, membership: Membership) -> None:
        self._memberships.put(self._present(membership), membership)

    async def remove(self, membership: Membership) -> None:
        self._memberships.drop(self._present(membership))

    def _claim_email(self, user: User) -> None:
        if self._names.get(("email", user.email)) is not None:
            raise Conflict("email_taken", "There is a user with this e-mail address already.")
        self._names.put(("email", user.email), user.id)

    def _present(self, membership: Membership) -> tuple[OrgId, UserId]:
        key = (membership.org_id, membership.user_id)
        if self._memberships.get(key) is None:
            raise StaleVersion("membership", membership.user_id)
        return key

    async def list(self, tenant: Tenant, page: PageRequest) -> Page[Member]:
        members = (
            Member(user=user, role=held.role, joined_at=held.joined_at)
            for held in self._memberships.values()
            if held.org_id == tenant.org_id and (user := self._users.get(held.user_id)) is not None
        )
        return page_of(members, page, id_of=lambda member: member.user.id)


class MemoryIdentities:
    def __init__(self, identities: Draft[tuple[str, str], Identity]) -> None:
        self._identities = identities

    async def find(self, *, issuer: str, subject: str) -> UserId | None:
        found = self._identities.get((issuer, subject))
        return None if found is None else found.user_id

    async def add(self, identity: Identity) -> None:
        key = (identity.issuer, identity.subject)
        if self._identities.get(key) is not None:
            raise StaleVersion("identity", identity.subject)
        self._identities.put(key, identity)


class MemoryIdempotency:
    def __init__(self, remembered: Draft[tuple[str, str], tuple[Remembered, datetime]]) -> None:
        self._remembered = remembered

    async def find(self, scope: str, key: IdempotencyKey, *, now: datetime) -> Remembered | None:
        entry = self._remembered.get((scope, key.key))
        return None if entry is None or now >= entry[1] + REMEMBERED_FOR else entry[0]

    async def add(
        self, scope: str, key: IdempotencyKey, subject_id: str, *, now: datetime, answer: bytes | None = None
    ) -> None:
        if await self.find(scope, key, now=now) is not None:
            raise StaleVersion("request", key.key)
        self._remembered.put((scope, key.key), (Remembered(subject_id, key.fingerprint, answer), now))
