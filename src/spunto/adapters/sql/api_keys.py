"""API keys in SQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, or_, select, update

from spunto.adapters.sql.paging import page_of, paged, window
from spunto.adapters.sql.statements import Statements, first
from spunto.adapters.sql.tables.access import api_keys as keys
from spunto.adapters.sql.types import IdList, Instant, is_in
from spunto.core.access.api_keys import USED_EVERY, ApiKey
from spunto.core.access.model import ApiKeyId, Tenant, UserId
from spunto.core.access.policy import Scope
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.paging import Page, PageRequest

_ADD = insert(keys)
_STANDING = (keys.c.org_id == bindparam("of_org")) & keys.c.revoked_at.is_(None)
_GET = select(keys).where(_STANDING, keys.c.id == bindparam("of_id"))
_LIST = paged(select(keys).where(_STANDING), keys.c.id)
_LIST_OF = paged(select(keys).where(_STANDING, keys.c.user_id == bindparam("of_user")), keys.c.id)
_BY_IDS = select(keys).where(is_in(keys.c.id, bindparam("ids", type_=IdList)))
_MARK_USED = (
    update(keys)
    .where(
        keys.c.id == bindparam("of_id"),
        or_(keys.c.last_used_at.is_(None), keys.c.last_used_at <= bindparam("before", type_=Instant)),
    )
    .values(last_used_at=bindparam("at", type_=Instant))
)
_REVOKE = (
    update(keys).where(_STANDING, keys.c.id == bindparam("of_id")).values(revoked_at=bindparam("at", type_=Instant))
)
_REVOKE_OF = (
    update(keys)
    .where(_STANDING, keys.c.user_id == bindparam("of_user"))
    .values(revoked_at=bindparam("at", type_=Instant))
)
_REMOVE_ALL = delete(keys).where(keys.c.org_id == bindparam("of_org"))


class SqlApiKeyRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, key: ApiKey) -> None:
        await self._statements.change(
            _ADD,
            {
                "id": key.id,
                "org_id": key.org_id,
                "name": key.name,
                "user_id": key.user_id,
                "created_by": key.created_by,
                "kid": key.kid,
                "secret_hash": key.secret_hash,
                "scopes": sorted(key.scopes),
                "created_at": key.created_at,
                "expires_at": key.expires_at,
                "last_used_at": key.last_used_at,
                "revoked_at": key.revoked_at,
            },
        )

    async def get(self, tenant: Tenant, key_id: ApiKeyId) -> ApiKey:
        row = await first(self._statements, _GET, {"of_org": tenant.org_id, "of_id": key_id})
        if row is None:
            raise NotFound("api_key_not_found", f"There is no API key {key_id!r}.", id=key_id)
        return key_of(row)

    async def list(self, tenant: Tenant, page: PageRequest, *, of_user: UserId | None = None) -> Page[ApiKey]:
        which: dict[str, Any] = {"of_org": tenant.org_id, **window(page)}
        if of_user is None:
            rows = await self._statements.all(_LIST, which)
        else:
            rows = await self._statements.all(_LIST_OF, {**which, "of_user": of_user})
        return page_of(rows, page.limit, item_of=key_of, key_of=lambda key: key.id)

    async def find_all(self, key_ids: Collection[ApiKeyId]) -> Sequence[ApiKey]:
        return [key_of(row) for row in await self._statements.all(_BY_IDS, {"ids": list(key_ids)})]

    async def mark_used(self, key_id: ApiKeyId, *, at: datetime) -> None:
        await self._statements.change(_MARK_USED, {"of_id": key_id, "at": at, "before": at - USED_EVERY})

    async def revoke(self, tenant: Tenant, key_id: ApiKeyId, *, at: datetime) -> None:
        await self._statements.change(_REVOKE, {"of_org": tenant.org_id, "of_id": key_id, "at": at})

    async def revoke_of(self, tenant: Tenant, user_id: UserId, *, at: datetime) -> None:
        await self._statements.change(_REVOKE_OF, {"of_org": tenant.org_id, "of_user": user_id, "at": at})

    async def remove_all(self, tenant: Tenant) -> None:
        await self._statements.change(_REMOVE_ALL, {"of_org": tenant.org_id})


def key_of(row: Sequence[Any]) -> ApiKey:
    key_id, org_id, name, user_id, created_by, kid, secret_hash, scopes, *times = row
    created_at, expires_at, last_used_at, revoked_at = times
    return ApiKey(
        id=key_id,
        org_id=org_id,
        name=name,
        user_id=user_id,
        created_by=created_by,
        kid=kid,
        secret_hash=secret_hash,
        scopes=frozenset(map(Scope, scopes)),
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
        revoked_at=revoked_at,
    )
