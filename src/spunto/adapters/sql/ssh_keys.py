"""People's SSH keys in SQL."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select

from spunto.adapters.sql.statements import AnyRow, Statements
from spunto.adapters.sql.tables.orgs import ssh_keys
from spunto.core.access.model import UserId
from spunto.core.kernel.errors import NotFound
from spunto.core.orgs.ssh_keys import SshKey, SshKeyId

_ADD = insert(ssh_keys)
_OF_USER = select(ssh_keys).where(ssh_keys.c.user_id == bindparam("user_id")).order_by(ssh_keys.c.id.desc())
_REMOVE = delete(ssh_keys).where(ssh_keys.c.id == bindparam("key_id"), ssh_keys.c.user_id == bindparam("user_id"))


class SqlSshKeyRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, key: SshKey) -> None:
        await self._statements.change(
            _ADD,
            {
                "id": key.id,
                "user_id": key.user_id,
                "name": key.name,
                "type": key.type,
                "public_key": key.public_key,
                "fingerprint": key.fingerprint,
                "created_at": key.created_at,
            },
        )

    async def of_user(self, user_id: UserId) -> Sequence[SshKey]:
        return [_key(row) for row in await self._statements.all(_OF_USER, {"user_id": user_id})]

    async def remove(self, user_id: UserId, key_id: SshKeyId) -> None:
        if await self._statements.change(_REMOVE, {"key_id": key_id, "user_id": user_id}) == 0:
            raise NotFound("ssh_key_not_found", f"There is no SSH key {key_id!r}.", id=key_id)


def _key(row: AnyRow) -> SshKey:
    key_id, user_id, name, kind, public_key, fingerprint, created_at = row
    return SshKey(
        id=key_id,
        user_id=user_id,
        name=name,
        type=kind,
        public_key=public_key,
        fingerprint=fingerprint,
        created_at=created_at,
    )
