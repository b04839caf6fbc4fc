"""Use cases of users' secrets. Values go in, and come out only on the way into a worker of the same user."""

from spunto.core.access.model import Actor, Tenant, UserId
from spunto.core.access.policy import Action
from spunto.core.activity.model import Auditor
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.secrets.keeper import SecretKeeper, require_projects
from spunto.core.secrets.model import OWN, Consent, SecretId, StoredSecret
from spunto.core.secrets.ports import SecretsTransaction


class SecretService:
    def __init__(self, uow: UnitOfWork[SecretsTransaction], *, keeper: SecretKeeper, auditor: Auditor) -> None:
        self._uow = uow
        self._keeper = keeper
        self._auditor = auditor

    async def list(self, actor: Actor, page: PageRequest) -> Page[StoredSecret]:
        user_id = _user_of(actor, Action.SECRET_READ)
        async with self._uow.reading() as tx:
            return await tx.secrets.list(user_id, page)

    @retried
    async def put(
        self, actor: Actor, *, name: str, value: Secret, consent: Consent | None = None
    ) -> tuple[StoredSecret, bool]:
        """Make the secret, or give the one of that name another value; whether it was made. Repeating is harmless.

        Without `consent` a new one enters its owner's own, and a known one what it entered before. Raises Invalid
        `secret_name_invalid`, `secret_name_reserved`, `secret_value_invalid`, `invalid_request` for an unknown project;
        Conflict `secrets_full`.
        """
        user_id = _user_of(actor, Action.SECRET_PUT)
        async with self._uow() as tx:
            await require_projects(tx, consent, org_ids=list(actor.roles))
            secret, is_new = await self._keeper.put(tx, user_id, name=name, value=value, consent=consent, default=OWN)
            await self._note(tx, actor, Action.SECRET_PUT, secret.id)
            await tx.commit()
        return secret, is_new

    @retried
    async def let_into(self, actor: Actor, secret_id: SecretId, consent: Consent) -> StoredSecret:
        """Say anew which workers it enters; those that have it keep it. Raises NotFound `secret_not_found`."""
        user_id = _user_of(actor, Action.SECRET_PUT)
        async with self._uow() as tx:
            await require_projects(tx, consent, org_ids=list(actor.roles))
            secret = await self._keeper.let_into(tx, user_id, secret_id, consent)
            await self._note(tx, actor, Action.SECRET_PUT, secret_id)
            await tx.commit()
        return secret

    @retried
    async def delete(self, actor: Actor, secret_id: SecretId) -> None:
        """Workers that have it keep it. Raises NotFound `secret_not_found`."""
        user_id = _user_of(actor, Action.SECRET_DELETE)
        async with self._uow() as tx:
            await tx.secrets.remove(await tx.secrets.get(user_id, secret_id))
            await self._note(tx, actor, Action.SECRET_DELETE, secret_id)
            await tx.commit()

    async def _note(self, tx: SecretsTransaction, actor: Actor, action: Action, secret_id: SecretId) -> None:
        """In the log of each organization that the user's workers may be of, by id: the name is the user's own."""
        for org_id, role in actor.roles.items():
            tenant = Tenant(org_id=org_id, role=role, actor=actor)
            await self._auditor.record(tx, tenant, action, secret_id)


def _user_of(actor: Actor, action: Action) -> UserId:
    actor.require_scope(action)
    return actor.require_person()
