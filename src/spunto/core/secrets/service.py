"""Use cases of users' secrets. Values go in, and come out only on the way into a worker of the same user."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from spunto.core.access.model import Actor, OrgId, Tenant, UserId
from spunto.core.access.policy import Action
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, Invalid, Unavailable
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.secrets.model import (
    MAX_USER_BYTES,
    MAX_USER_SECRETS,
    MAX_VALUE_BYTES,
    SecretId,
    UserSecret,
    bound_to,
)
from spunto.core.secrets.names import require_name
from spunto.core.secrets.ports import Cipher, SecretsTransaction


class SecretService:
    def __init__(
        self, uow: UnitOfWork[SecretsTransaction], *, cipher: Cipher, auditor: Auditor, clock: Clock, ids: Ids
    ) -> None:
        self._uow = uow
        self._cipher = cipher
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    async def list(self, actor: Actor, page: PageRequest) -> Page[UserSecret]:
        user_id = _user_of(actor, Action.SECRET_READ)
        async with self._uow.reading() as tx:
            return await tx.secrets.list(user_id, page)

    @retried
    async def put(self, actor: Actor, *, name: str, value: Secret) -> tuple[UserSecret, bool]:
        """Make the secret, or give the one of that name another value; whether it was made. Repeating is harmless.

        Raises Invalid `secret_name_invalid`, `secret_name_reserved`, `secret_value_invalid`; Conflict `secrets_full`.
        """
        user_id = _user_of(actor, Action.SECRET_PUT)
        require_name(name)
        size_bytes = _size_bytes(value)
        async with self._uow() as tx:
            own = await tx.secrets.of_users([user_id])
            known = next((secret for secret in own if secret.name == name), None)
            _require_room([secret for secret in own if secret is not known], size_bytes)
            if known is None:
                secret = self._made(user_id, name, value, size_bytes)
                await tx.secrets.add(secret)
            else:
                secret = self._replaced(known, value, size_bytes)
                await tx.secrets.update(secret)
            await self._note(tx, actor, Action.SECRET_PUT, secret.id)
            await tx.commit()
        return secret, known is None

    @retried
    async def delete(self, actor: Actor, secret_id: SecretId) -> None:
        """Workers that have it keep it. Raises NotFound `secret_not_found`."""
        user_id = _user_of(actor, Action.SECRET_DELETE)
        async with self._uow() as tx:
            await tx.secrets.remove(await tx.secrets.get(user_id, secret_id))
            await self._note(tx, actor, Action.SECRET_DELETE, secret_id)
            await tx.commit()

    async def values_of(
        self, org_id: OrgId, wanted: Mapping[str, Collection[str]]
    ) -> Mapping[str, Mapping[str, Secret]]:
        """The wanted names' values by user id; names that a user does not have are left out.

        Who is no member of the organization has none for it: what they left there is others' to look into. A user whose
        secrets can't all be read now, or do not fit together, is left out as a whole.
        """
        found: defaultdict[str, dict[str, Secret]] = defaultdict(dict)
        unreadable: set[str] = set()
        async with self._uow.reading() as tx:
            roles = await tx.grants.roles_of_all([UserId(user_id) for user_id in wanted])
            secrets = await tx.secrets.of_users([user_id for user_id, there in roles.items() if org_id in there])
        for secret in secrets:
            if secret.name not in wanted[secret.user_id]:
                continue
            try:
                found[secret.user_id][secret.name] = self._cipher.open(secret.sealed, bound_to=secret.bound_to)
            except Unavailable:
                unreadable.add(secret.user_id)
        return {
            user_id: found[user_id]
            for user_id in wanted
            if user_id not in unreadable and _fit_together(found[user_id].values())
        }

    def _made(self, user_id: UserId, name: str, value: Secret, size_bytes: int) -> UserSecret:
        secret_id = SecretId(self._ids.new("sec"))
        belongs_to = bound_to(user_id=user_id, secret_id=secret_id, name=name, version=1)
        now = self._clock.now()
        return UserSecret(
            id=secret_id,
            user_id=user_id,
            name=name,
            sealed=self._cipher.seal(value, bound_to=belongs_to),
            size_bytes=size_bytes,
            created_at=now,
            updated_at=now,
        )

    def _replaced(self, known: UserSecret, value: Secret, size_bytes: int) -> UserSecret:
        belongs_to = bound_to(user_id=known.user_id, secret_id=known.id, name=known.name, version=known.version + 1)
        sealed = self._cipher.seal(value, bound_to=belongs_to)
        return known.replaced(sealed, size_bytes=size_bytes, at=self._clock.now())

    async def _note(self, tx: SecretsTransaction, actor: Actor, action: Action, secret_id: SecretId) -> None:
        """In the log of each organization that the user's workers may be of, by id: the name is the user's own."""
        for org_id, role in actor.roles.items():
            tenant = Tenant(org_id=org_id, role=role, actor=actor)
            await self._auditor.record(tx, tenant, action, secret_id)


def _user_of(actor: Actor, action: Action) -> UserId:
    actor.require_scope(action)
    return actor.require_person()


def _size_bytes(value: Secret) -> int:
    text = value.reveal()
    size_bytes = len(text.encode())
    if not text or size_bytes > MAX_VALUE_BYTES or "\0" in text:
        raise Invalid("secret_value_invalid", f"A value has 1 to {MAX_VALUE_BYTES} bytes, and no NUL.")
    return size_bytes


def _fit_together(values: Collection[Secret]) -> bool:
    """Two writers at the same time may have passed the limit between them."""
    return sum(len(value.reveal().encode()) for value in values) <= MAX_USER_BYTES


def _require_room(others: Collection[UserSecret], size_bytes: int) -> None:
    if len(others) >= MAX_USER_SECRETS or sum(each.size_bytes for each in others) + size_bytes > MAX_USER_BYTES:
        raise Conflict(
            "secrets_full",
            f"A user has at most {MAX_USER_SECRETS} secrets with {MAX_USER_BYTES} bytes together; delete some first.",
        )
