"""Users' secrets and the canary in SQL."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, update

from spunto.adapters.sql.paging import page_of, paged, window
from spunto.adapters.sql.sealed import SealedTable, SqlSealedRows, sealed_columns
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.secrets import canaries, user_secrets
from spunto.adapters.sql.types import IdList, is_in
from spunto.core.access.model import UserId
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.secrets.model import Sealed, SecretId, UserSecret

_CANARY: Final = "keyring"
_IS_CURRENT = (user_secrets.c.id == bindparam("of_id")) & (user_secrets.c.version == bindparam("of_version"))
_ADD = insert(user_secrets)
_GET = select(user_secrets).where(
    user_secrets.c.id == bindparam("secret_id"), user_secrets.c.user_id == bindparam("user_id")
)
_LIST = paged(select(user_secrets).where(user_secrets.c.user_id == bindparam("user_id")), user_secrets.c.id)
_OF_USERS = (
    select(user_secrets)
    .where(is_in(user_secrets.c.user_id, bindparam("user_ids", type_=IdList)))
    .order_by(user_secrets.c.id)
)
_UPDATE = update(user_secrets).where(_IS_CURRENT)
_REMOVE = delete(user_secrets).where(_IS_CURRENT)
_CANARY_OF = select(canaries).where(canaries.c.id == _CANARY)
_ADD_CANARY = insert(canaries)
_REPLACE_CANARY = update(canaries).where(
    canaries.c.id == _CANARY, canaries.c.wrapped_key == bindparam("of_wrapped_key")
)


class SqlSecretRepository(SqlSealedRows[UserSecret]):
    def __init__(self, statements: Statements) -> None:
        super().__init__(statements, _SEALED)

    async def add(self, secret: UserSecret) -> None:
        row = {"id": secret.id, "user_id": secret.user_id, "name": secret.name, "created_at": secret.created_at}
        await self._statements.change(_ADD, {**row, **_changing(secret)})

    async def get(self, user_id: UserId, secret_id: SecretId) -> UserSecret:
        row = await first(self._statements, _GET, {"secret_id": secret_id, "user_id": user_id})
        if row is None:
            raise NotFound("secret_not_found", f"There is no secret {secret_id!r}.", id=secret_id)
        return _secret(row)

    async def list(self, user_id: UserId, page: PageRequest) -> Page[UserSecret]:
        rows = await self._statements.all(_LIST, {"user_id": user_id, **window(page)})
        return page_of(rows, page.limit, item_of=_secret, key_of=lambda secret: secret.id)

    async def of_users(self, user_ids: Collection[UserId]) -> Sequence[UserSecret]:
        return [_secret(row) for row in await self._statements.all(_OF_USERS, {"user_ids": list(user_ids)})]

    async def update(self, secret: UserSecret) -> None:
        await self._change_current(_UPDATE, secret, of_version=secret.version - 1, **_changing(secret))

    async def remove(self, secret: UserSecret) -> None:
        await self._change_current(_REMOVE, secret, of_version=secret.version)

    async def _change_current(self, statement: Any, secret: UserSecret, *, of_version: int, **values: Any) -> None:
        which = {"of_id": secret.id, "of_version": of_version}
        if await self._statements.change(statement, {**which, **values}) == 0:
            raise StaleVersion("secret", secret.id)


class SqlCanaryRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(self) -> Sealed | None:
        row = await first(self._statements, _CANARY_OF, {})
        if row is None:
            return None
        _, key_id, wrapped_key, ciphertext = row
        return Sealed(key_id=key_id, wrapped_key=wrapped_key, ciphertext=ciphertext)

    async def add(self, canary: Sealed) -> None:
        await self._statements.change(_ADD_CANARY, {"id": _CANARY, **sealed_columns(canary)})

    async def replace(self, before: Sealed, after: Sealed) -> None:
        which = {"of_wrapped_key": before.wrapped_key}
        if await self._statements.change(_REPLACE_CANARY, {**which, **sealed_columns(after)}) == 0:
            raise StaleVersion("canary", _CANARY)


def _changing(secret: UserSecret) -> dict[str, Any]:
    return {
        **sealed_columns(secret.sealed),
        "size_bytes": secret.size_bytes,
        "updated_at": secret.updated_at,
        "version": secret.version,
    }


def _secret(row: AnyRow) -> UserSecret:
    secret_id, user_id, name, key_id, wrapped_key, ciphertext, size_bytes, created_at, updated_at, version = row
    return UserSecret(
        id=secret_id,
        user_id=user_id,
        name=name,
        sealed=Sealed(key_id=key_id, wrapped_key=wrapped_key, ciphertext=ciphertext),
        size_bytes=size_bytes,
        created_at=created_at,
        updated_at=updated_at,
        version=version,
    )


_SEALED = SealedTable(user_secrets, _secret)
