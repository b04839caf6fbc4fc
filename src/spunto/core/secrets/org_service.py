"""Use cases of an organization's own secrets: its admins keep them, and say which projects' workers they enter."""

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.activity.model import Auditor
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.secrets.keeper import SecretKeeper, require_projects
from spunto.core.secrets.model import NOWHERE, Consent, SecretId, StoredSecret
from spunto.core.secrets.ports import SecretsTransaction


class OrganizationSecretService:
    def __init__(self, uow: UnitOfWork[SecretsTransaction], *, keeper: SecretKeeper, auditor: Auditor) -> None:
        self._uow = uow
        self._keeper = keeper
        self._auditor = auditor

    async def list(self, actor: Actor, org_id: OrgId, page: PageRequest) -> Page[StoredSecret]:
        tenant = actor.require(Action.ORG_SECRET_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.secrets.list(tenant.org_id, page)

    @retried
    async def put(
        self, actor: Actor, org_id: OrgId, *, name: str, value: Secret, consent: Consent | None = None
    ) -> tuple[StoredSecret, bool]:
        """Make the secret, or give the one of that name another value; whether it was made. Repeating is harmless.

        Without `consent` a new one enters no worker yet, and a known one those that it entered before. Raises Invalid
        `secret_name_invalid`, `secret_name_reserved`, `secret_value_invalid`, `invalid_request` for an unknown project;
        Conflict `secrets_full`.
        """
        tenant = actor.require(Action.ORG_SECRET_PUT, org_id=org_id)
        async with self._uow() as tx:
            # So that it does not outlive an organization that ends meanwhile.
            await tx.organizations.hold(tenant)
            await require_projects(tx, consent, org_ids=[org_id])
            secret, is_new = await self._keeper.put(
                tx, org_id, name=name, value=value, consent=consent, default=NOWHERE
            )
            await self._auditor.record(tx, tenant, Action.ORG_SECRET_PUT, secret.id, name=name)
            await tx.commit()
        return secret, is_new

    @retried
    async def let_into(self, actor: Actor, org_id: OrgId, secret_id: SecretId, consent: Consent) -> StoredSecret:
        """Say anew which projects' workers it enters; those that have it keep it.

        Raises NotFound `secret_not_found`.
        """
        tenant = actor.require(Action.ORG_SECRET_PUT, org_id=org_id)
        async with self._uow() as tx:
            await require_projects(tx, consent, org_ids=[org_id])
            secret = await self._keeper.let_into(tx, org_id, secret_id, consent)
            await self._auditor.record(tx, tenant, Action.ORG_SECRET_PUT, secret_id, name=secret.name)
            await tx.commit()
        return secret

    @retried
    async def delete(self, actor: Actor, org_id: OrgId, secret_id: SecretId) -> None:
        """Workers that have it keep it. Raises NotFound `secret_not_found`."""
        tenant = actor.require(Action.ORG_SECRET_DELETE, org_id=org_id)
        async with self._uow() as tx:
            secret = await tx.secrets.get(org_id, secret_id)
            await tx.secrets.remove(secret)
            await self._auditor.record(tx, tenant, Action.ORG_SECRET_DELETE, secret_id, name=secret.name)
            await tx.commit()
