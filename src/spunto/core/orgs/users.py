"""Use cases of a person's own settings and SSH keys."""

from collections.abc import Mapping, Sequence

from spunto.core.access.model import Actor, Tenant, UserId
from spunto.core.access.policy import Action
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.names import name_problem, require_name
from spunto.core.kernel.preconditions import Precondition, require
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.model import User
from spunto.core.orgs.ports import OrgsTransaction
from spunto.core.orgs.ssh_keys import MAX_KEYS, PublicKey, SshKey, SshKeyId, read_public_key


class UserService:
    def __init__(self, uow: UnitOfWork[OrgsTransaction], *, auditor: Auditor, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    async def get(self, actor: Actor) -> User:
        user_id = _user_of(actor, Action.USER_READ)
        async with self._uow.reading() as tx:
            return await tx.members.get_user(user_id)

    @retried
    async def update(
        self, actor: Actor, changes: Mapping[str, str | None], *, precondition: Precondition | None = None
    ) -> User:
        """Change `name` and `dotfiles_repo`; what is not named stays.

        Raises Invalid `name_invalid`, PreconditionFailed.
        """
        user_id = _user_of(actor, Action.USER_UPDATE)
        name = changes.get("name")
        if name is not None:
            require_name(name)
        async with self._uow() as tx:
            before = await tx.members.get_user(user_id)
            require(precondition, before)
            user = await tx.members.update_user(
                before.with_settings(
                    name=before.name if name is None else name,
                    dotfiles_repo=changes.get("dotfiles_repo", before.dotfiles_repo),
                )
            )
            await self._note(tx, actor, Action.USER_UPDATE, user.id)
            await tx.commit()
        return user

    async def ssh_keys(self, actor: Actor) -> Sequence[SshKey]:
        user_id = _user_of(actor, Action.SSH_KEY_READ)
        async with self._uow.reading() as tx:
            return await tx.ssh_keys.of_user(user_id)

    @retried
    async def add_ssh_key(
        self,
        actor: Actor,
        *,
        public_key: str,
        name: str | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> SshKey:
        """Named after the key's comment where no name is given.

        Raises Invalid `ssh_key_invalid`, `name_invalid`; Conflict `ssh_key_exists`, `ssh_keys_full`.
        """
        user_id = _user_of(actor, Action.SSH_KEY_ADD)
        read = read_public_key(public_key)
        if name is not None:
            require_name(name)
        now, scope = self._clock.now(), f"{user_id}/ssh-keys"
        key = SshKey(
            id=SshKeyId(self._ids.new("ssk")),
            user_id=user_id,
            name=_named_by(read) if name is None else name,
            type=read.type,
            public_key=read.text,
            fingerprint=read.fingerprint,
            created_at=now,
        )
        async with self._uow() as tx:
            kept = await tx.ssh_keys.of_user(user_id)
            once = Once(tx.idempotency, scope, idempotency, now=now)
            made = await once.made()
            again = next((each for each in kept if each.id == made), None)
            if again is not None:
                return again
            if len(kept) >= MAX_KEYS:
                raise Conflict("ssh_keys_full", f"A user has at most {MAX_KEYS} SSH keys; remove one first.")
            await tx.ssh_keys.add(key)
            await self._note(tx, actor, Action.SSH_KEY_ADD, key.id)
            if made is None:
                await once.makes(key.id, key)
            await tx.commit()
        return key

    @retried
    async def remove_ssh_key(self, actor: Actor, key_id: SshKeyId) -> None:
        """Raises NotFound `ssh_key_not_found`."""
        user_id = _user_of(actor, Action.SSH_KEY_REMOVE)
        async with self._uow() as tx:
            await tx.ssh_keys.remove(user_id, key_id)
            await self._note(tx, actor, Action.SSH_KEY_REMOVE, key_id)
            await tx.commit()

    async def _note(self, tx: OrgsTransaction, actor: Actor, action: Action, target_id: str) -> None:
        """In the log of each organization that the person is seen in, or enters workers of."""
        for org_id, role in actor.roles.items():
            tenant = Tenant(org_id=org_id, role=role, actor=actor)
            await self._auditor.record(tx, tenant, action, target_id)


def _named_by(read: PublicKey) -> str:
    return read.type if name_problem(read.comment) else read.comment


def _user_of(actor: Actor, action: Action) -> UserId:
    actor.require_scope(action)
    return actor.require_person()
