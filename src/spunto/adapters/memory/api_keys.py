"""API keys in memory."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.rows import Draft
from spunto.core.access.api_keys import USED_EVERY, ApiKey
from spunto.core.access.model import ApiKeyId, Tenant, UserId
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.paging import Page, PageRequest


class MemoryApiKeys:
    def __init__(self, keys: Draft[ApiKeyId, ApiKey]) -> None:
        self._keys = keys

    async def add(self, key: ApiKey) -> None:
        self._keys.put(key.id, key)

    async def get(self, tenant: Tenant, key_id: ApiKeyId) -> ApiKey:
        found = next((key for key in self._standing(tenant) if key.id == key_id), None)
        if found is None:
            raise NotFound("api_key_not_found", f"There is no API key {key_id!r}.", id=key_id)
        return found

    async def list(self, tenant: Tenant, page: PageRequest, *, of_user: UserId | None = None) -> Page[ApiKey]:
        keys = (key for key in self._standing(tenant) if of_user is None or key.user_id == of_user)
        return page_of(keys, page, id_of=lambda key: key.id)

    def with_kid(self, kid: str) -> ApiKey | None:
        return next((key for key in self._keys.values() if key.kid == kid), None)

    async def find_all(self, key_ids: Collection[ApiKeyId]) -> Sequence[ApiKey]:
        return [key for key_id in key_ids if (key := self._keys.get(key_id)) is not None]

    async def mark_used(self, key_id: ApiKeyId, *, at: datetime) -> None:
        key = self._keys.get(key_id)
        if key is not None and (key.last_used_at is None or key.last_used_at <= at - USED_EVERY):
            self._keys.put(key_id, replace(key, last_used_at=at))

    async def revoke(self, tenant: Tenant, key_id: ApiKeyId, *, at: datetime) -> None:
        self._revoke((key for key in self._standing(tenant) if key.id == key_id), at)

    async def revoke_of(self, tenant: Tenant, user_id: UserId, *, at: datetime) -> None:
        self._revoke((key for key in self._standing(tenant) if key.user_id == user_id), at)

    async def remove_all(self, tenant: Tenant) -> None:
        for key in [key for key in self._keys.values() if key.org_id == tenant.org_id]:
            self._keys.drop(key.id)

    def _standing(self, tenant: Tenant) -> Iterable[ApiKey]:
        return (key for key in self._keys.values() if key.org_id == tenant.org_id and key.revoked_at is None)

    def _revoke(self, keys: Iterable[ApiKey], at: datetime) -> None:
        for key in list(keys):
            self._keys.put(key.id, replace(key, revoked_at=at))
