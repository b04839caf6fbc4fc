"""People whom the program around Spunto knows already: made members without an invitation or a sign-in."""

from dataclasses import replace

from spunto.core.access.model import Actor, ActorKind, OrgId, UserId
from spunto.core.access.policy import Action, Role
from spunto.core.access.sessions import GRANTS_TOPIC
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.claims import person_name
from spunto.core.orgs.invitation import givable_by
from spunto.core.orgs.members import live, require_role
from spunto.core.orgs.model import Identity, Membership, User
from spunto.core.orgs.ports import OrgsTransaction

# No issuer is named so: nobody can sign in as a person whom only the embedding program knows.
ISSUER = "urn:spunto:embedding"
_CREDENTIAL = "embedding"


class EnrolmentService:
    """For embedding alone: it believes whoever calls it, so no door leads here."""

    def __init__(self, uow: UnitOfWork[OrgsTransaction], *, auditor: Auditor, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._auditor = auditor
        self._clock = clock
        self._ids = ids

    @retried
    async def enrol(
        self, actor: Actor, org_id: OrgId, *, subject: str, name: str, email: str, role: Role = Role.MEMBER
    ) -> Actor:
        """Make somebody a member, and act as them. `subject` is the caller's own, lasting name for the person.

        Whoever is a member already is not changed, so that it may be called at each visit. Raises Conflict
        `email_taken` where the address is another person's, Forbidden `role_required`.
        """
        tenant = actor.require(Action.MEMBER_ENROL, org_id=org_id)
        async with self._uow() as tx:
            await tx.organizations.lock(tenant)
            tenant = await live(tx, actor, Action.MEMBER_ENROL, org_id)
            user_id = await tx.identities.find(issuer=ISSUER, subject=subject) or await self._add_user(
                tx, subject=subject, name=name, email=email
            )
            if org_id not in await tx.grants.roles_of(user_id):
                if role not in givable_by(tenant.role):
                    require_role(tenant, Role.OWNER)
                membership = Membership(org_id=org_id, user_id=user_id, role=role, joined_at=self._clock.now())
                await tx.members.add(membership)
                await self._auditor.record(tx, tenant, Action.MEMBER_ENROL, user_id, role=role.value)
                tx.hint(GRANTS_TOPIC)
                await tx.commit()
            return await _acting(tx, user_id)

    async def actor_of(self, subject: str, *, request_id: str = "") -> Actor:
        """Act as somebody who was enrolled, with the roles that they have now. Raises NotFound `user_not_found`."""
        async with self._uow.reading() as tx:
            user_id = await tx.identities.find(issuer=ISSUER, subject=subject)
            if user_id is None:
                raise NotFound("user_not_found", f"Nobody was enrolled as {subject!r}.")
            return replace(await _acting(tx, user_id), request_id=request_id)

    async def _add_user(self, tx: OrgsTransaction, *, subject: str, name: str, email: str) -> UserId:
        now = self._clock.now()
        user = User(id=UserId(self._ids.new("usr")), name=person_name(name, email=email), email=email, created_at=now)
        # First, because here a lost race starts again.
        await tx.identities.add(Identity(issuer=ISSUER, subject=subject, user_id=user.id, created_at=now))
        await tx.members.add_user(user)
        return user.id


async def _acting(tx: OrgsTransaction, user_id: UserId) -> Actor:
    return Actor(
        kind=ActorKind.USER, user_id=user_id, credential_id=_CREDENTIAL, roles=await tx.grants.roles_of(user_id)
    )
