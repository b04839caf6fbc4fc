"""API keys, for the client. Only a session's token may manage them."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import SecretStr, field_serializer

from spunto.client.api import Api, Page
from spunto.client.retry import Repeat
from spunto.client.wire import WireModel


class ApiKey(WireModel):
    """`prefix` is its token's beginning, by which people tell keys apart."""

    id: str
    name: str
    owner_type: str
    user_id: str | None = None
    created_by: str | None = None
    scopes: tuple[str, ...]
    prefix: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class ApiKeyWithToken(ApiKey):
    """A new key; its token is shown once, never again."""

    token: SecretStr

    @field_serializer("token", when_used="json")
    def _reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


class ApiKeys:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, org_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[ApiKey]:
        """Your own keys, or as an admin everybody's."""
        return await self._api.page(ApiKey, _path(org_id), limit=limit, cursor=cursor)

    def iter_keys(self, org_id: str) -> AsyncIterator[ApiKey]:
        return self._api.pages(ApiKey, _path(org_id))

    async def create(
        self,
        org_id: str,
        name: str,
        scopes: Iterable[str],
        *,
        owner_type: str = "user",
        expires_at: datetime | Literal["never"] | None = None,
        idempotency_key: str | None = None,
    ) -> ApiKeyWithToken:
        """Make a key, which ends after 90 days where nothing else is said.

        Its token is in this answer only, so a lost answer is not asked for again: revoke what it may have made.
        """
        body: dict[str, Any] = {"name": name, "scopes": list(scopes), "ownerType": owner_type}
        if expires_at is not None:
            body["expiresAt"] = None if isinstance(expires_at, str) else expires_at.isoformat()
        return await self._api.create(
            ApiKeyWithToken, _path(org_id), body, idempotency_key=idempotency_key, repeat=Repeat.REFUSED
        )

    async def revoke(self, org_id: str, key_id: str) -> None:
        """The key is refused from then on, and what was opened with it closes."""
        await self._api.delete(f"{_path(org_id)}/{key_id}")


def _path(org_id: str) -> str:
    return f"/api/orgs/{org_id}/api-keys"
