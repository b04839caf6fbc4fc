"""What the webhooks slice needs: storage, and somebody who sends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from spunto.core.access.model import Tenant
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.orgs.ports import OrgsTransaction
from spunto.core.secrets.ports import SealedRows
from spunto.core.webhooks.model import (
    Delivery,
    DeliveryId,
    DeliveryStatus,
    Failure,
    Webhook,
    WebhookId,
    WebhookSecret,
)


class WebhookRepository(Protocol):
    """A webhook goes with its organization."""

    async def add(self, webhook: Webhook) -> None: ...

    async def get(self, tenant: Tenant, webhook_id: WebhookId) -> Webhook:
        """Raises NotFound `webhook_not_found`."""

    async def find(self, webhook_id: WebhookId) -> Webhook | None:
        """For the loop that delivers."""

    async def list(self, tenant: Tenant, page: PageRequest) -> Page[Webhook]: ...

    async def count(self, tenant: Tenant) -> int: ...

    async def update(self, webhook: Webhook) -> Webhook:
        """Raises StaleVersion."""

    async def remove(self, webhook: Webhook) -> None:
        """With its secrets and deliveries. Raises StaleVersion where it is gone or was changed."""

    async def behind(self, *, after: str, limit: int) -> Sequence[WebhookId]:
        """Enabled ones of any organization that have not read their feed to its end; by id, from behind `after`."""


class WebhookSecretRepository(SealedRows[WebhookSecret], Protocol):
    async def add(self, secret: WebhookSecret) -> None: ...

    async def of(self, webhook_id: WebhookId) -> Sequence[WebhookSecret]:
        """All of the webhook's, the newest first."""

    async def expire(self, secret: WebhookSecret, *, at: datetime) -> None:
        """Let it sign until then. Repeating is harmless."""

    async def remove(self, secret: WebhookSecret) -> None:
        """Repeating is harmless."""


class DeliveryRepository(Protocol):
    """Deliveries go with their webhook."""

    async def add(self, deliveries: Sequence[Delivery]) -> None: ...

    async def get(self, webhook: Webhook, delivery_id: DeliveryId) -> Delivery:
        """Raises NotFound `webhook_delivery_not_found`."""

    async def list(self, webhook: Webhook, page: PageRequest, *, status: DeliveryStatus | None) -> Page[Delivery]:
        """The newest first."""

    async def due(self, webhook_id: WebhookId, *, now: datetime, limit: int) -> Sequence[Delivery]:
        """Those that are to be sent now, the longest due first."""

    async def next_due_at(self, webhook_id: WebhookId) -> datetime | None: ...

    async def update(self, delivery: Delivery) -> Delivery:
        """Raises StaleVersion."""

    async def fail_pending(self, webhook_id: WebhookId, failure: Failure) -> None:
        """Nothing of the webhook's is to be sent any more."""

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Remove those made before that time that are over, at most `limit`; how many there were."""


class WebhooksTransaction(OrgsTransaction, Protocol):
    @property
    def webhooks(self) -> WebhookRepository: ...
    @property
    def webhook_secrets(self) -> WebhookSecretRepository: ...
    @property
    def deliveries(self) -> DeliveryRepository: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The status that came, or why none did."""

    status: int | None = None
    failure: Failure | None = None


class WebhookSender(Protocol):
    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one POST to where the address rule allows, bounded in time; whatever an endpoint does is an answer.

        Nothing of the answer but its status is read. A repeat sends again.
        """
