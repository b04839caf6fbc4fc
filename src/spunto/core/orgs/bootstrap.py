"""The first owner and the first organization, before anybody can sign in."""

from spunto.core.access.model import Actor, ActorKind, OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.model import Identity, Membership, Organization, User
from spunto.core.orgs.ports import OrgsTransaction

EMAIL = "owner@localhost"
SLUG = "default"
# No issuer is named so. It tells who the first owner is when that person's address has become a real one.
ISSUER, SUBJECT = "urn:spunto:bootstrap", "owner"


class BootstrapService:
    """Makes what is missing; what people have renamed, given away or deleted since is not put back."""

    def __init__(self, uow: UnitOfWork[OrgsTransaction], *, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids

    @retried
    async def ensure_owner(self) -> tuple[User, Organization]:
        """The first owner, and an organization of theirs: `default`, else the oldest that they own, else a new one."""
        async with self._uow() as tx:
            user = await self._owner(tx)
            organization = await self._organization(tx, user)
            await tx.commit()
        return user, organization

    async def _owner(self, tx: OrgsTransaction) -> User:
        user_id = await tx.identities.find(issuer=ISSUER, subject=SUBJECT)
        if user_id is not None:
            return await tx.members.get_user(user_id)
        now = self._clock.now()
        known = await tx.members.find_user_by_email(EMAIL)
        user = known or User(id=UserId(self._ids.new("usr")), name="Owner", email=EMAIL, created_at=now)
        # First, because here a lost race starts again.
        await tx.identities.add(Identity(issuer=ISSUER, subject=SUBJECT, user_id=user.id, created_at=now))
        if known is None:
            await tx.members.add_user(user)
        return user

    async def _organization(self, tx: OrgsTransaction, user: User) -> Organization:
        roles = await tx.grants.roles_of(user.id)
        owned = [await tx.organizations.find(org_id) for org_id in sorted(roles) if roles[org_id] is Role.OWNER]
        found = [organization for organization in owned if organization is not None]
        if found:
            return next((each for each in found if each.slug == SLUG), found[0])
        is_free = await tx.organizations.find_by_slug(SLUG) is None
        org_id = OrgId(self._ids.new("org"))
        slug = SLUG if is_free else f"{SLUG}-{org_id[-6:]}"
        organization = Organization(id=org_id, name=SLUG, slug=slug, created_at=self._clock.now())
        await tx.organizations.add(organization)
        await tx.members.add(
            Membership(org_id=org_id, user_id=user.id, role=Role.OWNER, joined_at=organization.created_at)
        )
        return organization


def owner_of(user: User, organization: Organization) -> Actor:
    """The bootstrap's own actor, for the first node and project that it makes on the owner's behalf."""
    return Actor(kind=ActorKind.SYSTEM, user_id=user.id, credential_id="bootstrap", roles={organization.id: Role.OWNER})
