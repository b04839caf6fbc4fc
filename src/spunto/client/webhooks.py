"""Webhooks and their deliveries, for the client. Only a session's token may change them."""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import SecretStr, field_serializer

from spunto.client.api import Api, Page
from spunto.client.wire import Failure, WireModel


class Webhook(WireModel):
    """`events` is None for all of them; `disabled_reason` says why it was disabled by itself."""

    id: str
    org_id: str
    url: str
    description: str = ""
    events: tuple[str, ...] | None = None
    enabled: bool
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    created_at: datetime
    updated_at: datetime | None = None


class WebhookWithSecret(Webhook):
    """With the secret that signs for it, which is shown once, never again."""

    secret: SecretStr

    @field_serializer("secret", when_used="json")
    def _reveal(self, secret: SecretStr) -> str:
        return secret.get_secret_value()


class Delivery(WireModel):
    """One message for one webhook: `pending`, `delivered` or `failed`. `event_id` is what it is sent under."""

    id: str
    webhook_id: str
    event_id: str
    type: str
    status: str
    attempts: int
    response_status: int | None = None
    error: Failure | None = None
    duration_ms: int | None = None
    created_at: datetime
    last_attempt_at: datetime | None = None
    next_attempt_at: datetime | None = None


class Webhooks:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, org_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Webhook]:
        return await self._api.page(Webhook, _path(org_id), limit=limit, cursor=cursor)

    def iter_webhooks(self, org_id: str) -> AsyncIterator[Webhook]:
        return self._api.pages(Webhook, _path(org_id))

    async def create(
        self,
        org_id: str,
        url: str,
        *,
        events: Iterable[str] | None = None,
        description: str = "",
        enabled: bool = True,
        idempotency_key: str | None = None,
    ) -> WebhookWithSecret:
        """Make a webhook for those events, or for all of them. Its secret is in this answer only."""
        body: dict[str, Any] = {"url": url, "description": description, "enabled": enabled}
        body["events"] = None if events is None else list(events)
        return await self._api.create(WebhookWithSecret, _path(org_id), body, idempotency_key=idempotency_key)

    async def get(self, org_id: str, webhook_id: str) -> Webhook:
        return await self._api.get(Webhook, _path(org_id, webhook_id))

    async def update(
        self, org_id: str, webhook_id: str, changes: Mapping[str, Any], *, if_match: str | None = None
    ) -> Webhook:
        """A merge patch by the API's own field names: an absent field stays, None for `events` asks for all.

        Raises ChangedMeanwhile.
        """
        return await self._api.patch(Webhook, _path(org_id, webhook_id), changes, if_match=if_match)

    async def delete(self, org_id: str, webhook_id: str, *, if_match: str | None = None) -> None:
        """Raises ChangedMeanwhile."""
        await self._api.delete(_path(org_id, webhook_id), if_match=if_match)

    async def rotate_secret(
        self, org_id: str, webhook_id: str, *, idempotency_key: str | None = None
    ) -> WebhookWithSecret:
        """The secret before it signs a day longer."""
        path = f"{_path(org_id, webhook_id)}/rotate-secret"
        return await self._api.create(WebhookWithSecret, path, {}, idempotency_key=idempotency_key)

    async def test(self, org_id: str, webhook_id: str, *, idempotency_key: str | None = None) -> Delivery:
        """Send a message that is no event. Raises StateConflict `webhook_disabled`."""
        path = f"{_path(org_id, webhook_id)}/test"
        return await self._api.create(Delivery, path, {}, idempotency_key=idempotency_key)

    async def deliveries(
        self, org_id: str, webhook_id: str, *, status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Delivery]:
        """The newest first: all, or those that are `pending`, `delivered` or `failed`."""
        path = f"{_path(org_id, webhook_id)}/deliveries"
        return await self._api.page(Delivery, path, limit=limit, cursor=cursor, status=status)

    async def delivery(self, org_id: str, webhook_id: str, delivery_id: str) -> Delivery:
        return await self._api.get(Delivery, f"{_path(org_id, webhook_id)}/deliveries/{delivery_id}")

    async def redeliver(
        self, org_id: str, webhook_id: str, delivery_id: str, *, idempotency_key: str | None = None
    ) -> Delivery:
        """Send the same message again, now. Raises StateConflict `webhook_disabled`."""
        path = f"{_path(org_id, webhook_id)}/deliveries/{delivery_id}/redeliver"
        return await self._api.create(Delivery, path, {}, idempotency_key=idempotency_key)


def _path(org_id: str, webhook_id: str | None = None) -> str:
    webhooks = f"/api/orgs/{org_id}/webhooks"
    return webhooks if webhook_id is None else f"{webhooks}/{webhook_id}"
