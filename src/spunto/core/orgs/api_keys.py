"""Use cases of API keys: made, listed and revoked by people alone, never by another key."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, Literal, TypeAlias

from spunto.core.access.api_keys import KEY_LIFETIME, LONGEST_LIFETIME, ApiKey, OwnerType, new_token, parsed
from spunto.core.access.model import Actor, ApiKeyId, OrgId, Tenant
from spunto.core.access.policy import Action, Role, Scope
from spunto.core.access.sessions import GRANTS_TOPIC
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.names import require_name
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.members import live, require_role
from spunto.core.orgs.ports import OrgsTransaction


class Unsaid(Enum):
    """Where nothing was said, which is not the same as None."""

    UNSAID = "unsaid"


UNSAID: Final = Unsaid.UNSAID
Expiry: TypeAlias = datetime | Literal[Unsaid.UNSAID] | None
"""When a key ends: None is never, and unsaid is the usual time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWithToken:
    """A new key with its token, shown this once."""

    key: ApiKey
    token: Secret


class ApiKeyService:
    def __init__(self, uow: UnitOfWork[OrgsTransaction], *, auditor: Auditor, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    @retried
    async def create(
        self,
        actor: Actor,
        org_id: OrgId,
        *,
        name: str,
        owner_type: OwnerType,
        scopes: frozenset[Scope],
        expires_at: Expiry = UNSAID,
        idempotency: IdempotencyKey | None = None,
    ) -> KeyWithToken:
        """Make a key of the actor's own, or as an admin one of the organization's.

        Raises Forbidden `role_required`, also for an end that only owners may choose, Invalid `expiry_passed`,
        `name_invalid`, and Conflict `token_not_repeatable` for a repeat: the token is kept nowhere, so it can't be
        answered again.
        """
        tenant = actor.require(Action.API_KEY_CREATE, org_id=org_id)
        require_name(name)
        now = self._clock.now()
        async with self._uow() as tx:
            # Held before the role is read: who is being demoted meanwhile waits, or finds the new role.
            await tx.organizations.hold(tenant)
            tenant = await live(tx, actor, Action.API_KEY_CREATE, org_id)
            once = Once(tx.idempotency, f"{org_id}/api-keys", idempotency, now=now)
            await once.require_first()
            if owner_type is OwnerType.ORG:
                require_role(tenant, Role.ADMIN)
            person, token = actor.require_person(), new_token()
            taken_apart = parsed(token)
            assert taken_apart is not None  # noqa: S101 - it was just made
            key = ApiKey(
                id=ApiKeyId(self._ids.new("key")),
                org_id=org_id,
                name=name,
                user_id=person if owner_type is OwnerType.USER else None,
                created_by=person,
                kid=taken_apart.kid,
                secret_hash=taken_apart.secret_hash,
                scopes=scopes,
                created_at=now,
                expires_at=_end(tenant, expires_at, now=now),
            )
            await tx.api_keys.add(key)
            await self._auditor.record(
                tx,
                tenant,
                Action.API_KEY_CREATE,
                key.id,
                name=name,
                owner=owner_type.value,
                scopes=" ".join(sorted(scopes)),
            )
            await once.makes(key.id)
            await tx.commit()
        return KeyWithToken(key=key, token=token)

    async def list(self, actor: Actor, org_id: OrgId, page: PageRequest) -> Page[ApiKey]:
        """Admins see every key, members their own."""
        tenant = actor.require(Action.API_KEY_READ, org_id=org_id)
        of_user = None if tenant.role.includes(Role.ADMIN) else actor.require_person()
        async with self._uow.reading() as tx:
            return await tx.api_keys.list(tenant, page, of_user=of_user)

    @retried
    async def revoke(self, actor: Actor, org_id: OrgId, key_id: ApiKeyId) -> None:
        """End a key for good. Raises NotFound, Forbidden `not_owner` for another member's key."""
        actor.require(Action.API_KEY_REVOKE, org_id=org_id)
        async with self._uow() as tx:
            tenant = await live(tx, actor, Action.API_KEY_REVOKE, org_id)
            key = await tx.api_keys.get(tenant, key_id)
            tenant.require_own_or_admin(user_id=key.user_id, api_key_id=None)
            await tx.api_keys.revoke(tenant, key_id, at=self._clock.now())
            await self._auditor.record(tx, tenant, Action.API_KEY_REVOKE, key_id, name=key.name)
            tx.hint(GRANTS_TOPIC)
            await tx.commit()


def _end(tenant: Tenant, asked: Expiry, *, now: datetime) -> datetime | None:
    if asked is UNSAID:
        return now + KEY_LIFETIME
    if asked is None or asked > now + LONGEST_LIFETIME:
        require_role(tenant, Role.OWNER)
    elif asked <= now:
        raise Invalid("expiry_passed", "The key would have ended already; choose a time to come.")
    return asked
