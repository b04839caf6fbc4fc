"""Webhooks, their secrets and their deliveries in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from spunto.adapters.memory.activity import Feeds
from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.rows import Draft, Table, owned
from spunto.adapters.memory.sealed import MemorySealedRows
from spunto.core.access.model import OrgId, Tenant
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.webhooks.model import (
    Delivery,
    DeliveryId,
    DeliveryStatus,
    Failure,
    Webhook,
    WebhookId,
    WebhookSecret,
    WebhookSecretId,
)


class MemoryWebhooks:
    def __init__(
        self,
        webhooks: Table[WebhookId, Webhook],
        secrets: Draft[WebhookSecretId, WebhookSecret],
        deliveries: Draft[DeliveryId, Delivery],
        feeds: Feeds,
    ) -> None:
        self._webhooks = webhooks
        self._secrets = secrets
        self._deliveries = deliveries
        self._feeds = feeds

    async def add(self, webhook: Webhook) -> None:
        self._webhooks.put(webhook.id, webhook)

    async def get(self, tenant: Tenant, webhook_id: WebhookId) -> Webhook:
        return owned(self._webhooks, tenant, webhook_id)

    async def find(self, webhook_id: WebhookId) -> Webhook | None:
        return self._webhooks.get(webhook_id)

    async def list(self, tenant: Tenant, page: PageRequest) -> Page[Webhook]:
        return page_of(self._of(tenant.org_id), page, id_of=lambda webhook: webhook.id)

    async def count(self, tenant: Tenant) -> int:
        return len(self._of(tenant.org_id))

    async def update(self, webhook: Webhook) -> Webhook:
        return self._webhooks.update(webhook)

    async def remove(self, webhook: Webhook) -> None:
        self._webhooks.current(webhook)
        self._drop(webhook.id)

    async def behind(self, *, after: str, limit: int) -> Sequence[WebhookId]:
        found = (
            webhook.id
            for webhook in self._webhooks.values()
            if webhook.enabled and webhook.id > after and webhook.read_to < self._feeds.last.get(webhook.org_id, 0)
        )
        return sorted(found)[:limit]

    def remove_of(self, org_id: OrgId) -> None:
        """As the foreign key does."""
        for webhook in self._of(org_id):
            self._drop(webhook.id)

    def _of(self, org_id: OrgId) -> Sequence[Webhook]:
        return [webhook for webhook in self._webhooks.values() if webhook.org_id == org_id]

    def _drop(self, webhook_id: WebhookId) -> None:
        self._webhooks.drop(webhook_id)
        for secret in [each for each in self._secrets.values() if each.webhook_id == webhook_id]:
            self._secrets.drop(secret.id)
        for delivery in [each for each in self._deliveries.values() if each.webhook_id == webhook_id]:
            self._deliveries.drop(delivery.id)


class MemoryWebhookSecrets(MemorySealedRows[WebhookSecret]):
    def __init__(self, secrets: Draft[WebhookSecretId, WebhookSecret]) -> None:
        super().__init__(secrets)
        self._secrets = secrets

    async def add(self, secret: WebhookSecret) -> None:
        self._secrets.put(secret.id, secret)

    async def of(self, webhook_id: WebhookId) -> Sequence[WebhookSecret]:
        own = (secret for secret in self._secrets.values() if secret.webhook_id == webhook_id)
        return sorted(own, key=lambda secret: secret.id, reverse=True)

    async def expire(self, secret: WebhookSecret, *, at: datetime) -> None:
        now = self._secrets.get(secret.id)
        if now is not None:
            self._secrets.put(now.id, replace(now, expires_at=at))

    async def remove(self, secret: WebhookSecret) -> None:
        self._secrets.drop(secret.id)


class MemoryDeliveries:
    def __init__(self, deliveries: Table[DeliveryId, Delivery]) -> None:
        self._deliveries = deliveries

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._deliveries.put(delivery.id, delivery)

    async def get(self, webhook: Webhook, delivery_id: DeliveryId) -> Delivery:
        found = self._deliveries.get(delivery_id)
        if found is None or found.webhook_id != webhook.id:
            raise NotFound("webhook_delivery_not_found", f"There is no delivery {delivery_id!r}.", id=delivery_id)
        return found

    async def list(self, webhook: Webhook, page: PageRequest, *, status: DeliveryStatus | None) -> Page[Delivery]:
        own = (each for each in self._of(webhook.id) if status in (None, each.status))
        return page_of(own, page, id_of=lambda delivery: delivery.id)

    async def due(self, webhook_id: WebhookId, *, now: datetime, limit: int) -> Sequence[Delivery]:
        due = [(at, each.id, each) for at, each in self._waiting(webhook_id) if at <= now]
        return [each for _, _, each in sorted(due, key=lambda entry: entry[:2])[:limit]]

    async def next_due_at(self, webhook_id: WebhookId) -> datetime | None:
        return min((at for at, _ in self._waiting(webhook_id)), default=None)

    async def update(self, delivery: Delivery) -> Delivery:
        return self._deliveries.update(delivery)

    async def fail_pending(self, webhook_id: WebhookId, failure: Failure) -> None:
        for _, each in self._waiting(webhook_id):
            ended = replace(
                each,
                status=DeliveryStatus.FAILED,
                failure=failure,
                next_attempt_at=None,
                version=each.version + 1,
            )
            self._deliveries.put(each.id, ended)

    async def prune(self, *, before: datetime, limit: int) -> int:
        old = [
            each
            for each in self._deliveries.values()
            if each.created_at < before and each.status is not DeliveryStatus.PENDING
        ][:limit]
        for each in old:
            self._deliveries.drop(each.id)
        return len(old)

    def _of(self, webhook_id: WebhookId) -> Sequence[Delivery]:
        return [each for each in self._deliveries.values() if each.webhook_id == webhook_id]

    def _waiting(self, webhook_id: WebhookId) -> Sequence[tuple[datetime, Delivery]]:
        own = self._of(webhook_id)
        return [(each.next_attempt_at, each) for each in own if each.next_attempt_at is not None]
