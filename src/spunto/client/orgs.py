"""Organizations, for the client."""

from collections.abc import AsyncIterator

from spunto.client.api import Api, Page
from spunto.client.models import Member, Organization


class Organizations:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Organization]:
        return await self._api.page(Organization, "/api/orgs", limit=limit, cursor=cursor)

    def iter_orgs(self) -> AsyncIterator[Organization]:
        return self._api.pages(Organization, "/api/orgs")

    async def create(self, name: str, *, slug: str | None = None, idempotency_key: str | None = None) -> Organization:
        body = {"name": name} | ({} if slug is None else {"slug": slug})
        return await self._api.create(Organization, "/api/orgs", body, idempotency_key=idempotency_key)

    async def get(self, org_id: str) -> Organization:
        return await self._api.get(Organization, f"/api/orgs/{org_id}")

    async def members(self, org_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Member]:
        return await self._api.page(Member, f"/api/orgs/{org_id}/members", limit=limit, cursor=cursor)

    def iter_members(self, org_id: str) -> AsyncIterator[Member]:
        return self._api.pages(Member, f"/api/orgs/{org_id}/members")
