"""Secrets and the canary in SQL."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, update

from spunto.adapters.sql.paging import page_of, paged, window
from spunto.adapters.sql.sealed import SealedTable, SqlSealedRows, sealed_columns
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.secrets import canaries, user_secrets
from spunto.adapters.sql.types import IdList, is_in
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.secrets.model import Consent, Sealed, SecretId, SecretOwner, StoredSecret

_CANARY: Final = "keyring"
_IS_CURRENT = (user_secrets.c.id == bindparam("of_id")) & (user_secrets.c.version == bindparam("of_version"))
_ADD = insert(user_secrets)
_GET = select(user_secrets).where(
    user_secrets.c.id == bindparam("secret_id"), user_secrets.c.user_id == bindparam("owner_id")
)
_LIST = paged(select(user_secrets).where(user_secrets.c.user_id == bindparam("owner_id")), user_secrets.c.id)
_OF_OWNERS = (
    select(user_secrets)
    .where(is_in(user_secrets.c.user_id, bindparam("owner_ids", type_=IdList)))
    .order_by(user_secrets.c.id)
)
_UPDATE = update(user_secrets).where(_IS_CURRENT)
_LET_INTO = (
    update(user_secrets)
    .where(_IS_CURRENT, user_secrets.c.consent == bindparam("of_consent"))
    .values(consent=bindparam("to_consent"))
)
_REMOVE = delete(user_secrets).where(_IS_CURRENT)
_CANARY_OF = select(canaries).where(canaries.c.id == _CANARY)
_ADD_CANARY = insert(canaries)
_REPLACE_CANARY = update(canaries).where(
    canaries.c.id == _CANARY, canaries.c.wrapped_key == bindparam("of_wrapped_key")
)


class SqlSecretRepository(SqlSealedRows[StoredSecret]):
    def __init__(self, statements: Statements) -> None:
        super().__init__(statements, _SEALED)

    async def add(self, secret: StoredSecret) -> None:
        row = {"id": secret.id, "user_id": secret.owner_id, "name": secret.name, "created_at": secret.created_at}
        await self._statements.change(_ADD, {**row, **_changing(secret)})

    async def get(self, owner_id: SecretOwner, secret_id: SecretId) -> StoredSecret:
        row = await first(self._statements, _GET, {"secret_id": secret_id, "owner_id": owner_id})
        if row is None:
            raise NotFound("secret_not_found", f"There is no secret {secret_id!r}.", id=secret_id)
        return _secret(row)

    async def list(self, owner_id: SecretOwner, page: PageRequest) -> Page[StoredSecret]:
        rows = await self._statements.all(_LIST, {"owner_id": owner_id, **window(page)})
        return page_of(rows, page.limit, item_of=_secret, key_of=lambda secret: secret.id)

    async def of_owners(self, owner_ids: Collection[SecretOwner]) -> Sequence[StoredSecret]:
        return [_secret(row) for row in await self._statements.all(_OF_OWNERS, {"owner_ids": list(owner_ids)})]

    async def update(self, secret: StoredSecret) -> None:
        await self._change_current(_UPDATE, secret, of_version=secret.version - 1, **_changing(secret))

    async def let_into(self, secret: StoredSecret, consent: Consent) -> None:
        changes = {"of_consent": _consent_to_text(secret.consent), "to_consent": _consent_to_text(consent)}
        await self._change_current(_LET_INTO, secret, of_version=secret.version, **changes)

    async def remove(self, secret: StoredSecret) -> None:
        await self._change_current(_REMOVE, secret, of_version=secret.version)

    async def _change_current(self, statement: Any, secret: StoredSecret, *, of_version: int, **values: Any) -> None:
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


def _changing(secret: StoredSecret) -> dict[str, Any]:
    return {
        **sealed_columns(secret.sealed),
        "size_bytes": secret.size_bytes,
        "consent": _consent_to_text(secret.consent),
        "updated_at": secret.updated_at,
        "version": secret.version,
    }


def _secret(row: AnyRow) -> StoredSecret:
    (
        secret_id,
        owner_id,
        name,
        key_id,
        wrapped_key,
        ciphertext,
        size_bytes,
        created_at,
        updated_at,
        version,
        consent,
    ) = row
    return StoredSecret(
        id=secret_id,
        owner_id=owner_id,
        name=name,
        sealed=Sealed(key_id=key_id, wrapped_key=wrapped_key, ciphertext=ciphertext),
        size_bytes=size_bytes,
        consent=_consent_from_text(consent),
        created_at=created_at,
        updated_at=updated_at,
        version=version,
    )


def _consent_to_text(consent: Consent) -> str:
    """Words, so that one consent has one text that can be compared."""
    words = [word for word, holds in (("all", consent.everywhere), ("own", consent.own)) if holds]
    return " ".join([*words, *sorted(consent.project_ids)])


def _consent_from_text(text: str) -> Consent:
    words = frozenset(text.split())
    return Consent(own="own" in words, everywhere="all" in words, project_ids=words - {"own", "all"})


_SEALED = SealedTable(user_secrets, _secret)
