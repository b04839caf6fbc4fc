"""Use cases of deliveries: looking at them, asking for one again, and testing an endpoint."""

from spunto.core.access.model import Actor, OrgId, Tenant
from spunto.core.access.policy import Action
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.webhooks.courier import KIND
from spunto.core.webhooks.model import PING, Delivery, DeliveryId, DeliveryStatus, Webhook, WebhookId
from spunto.core.webhooks.payload import ping_of
from spunto.core.webhooks.ports import WebhooksTransaction


class DeliveryService:
    """What these change is told to nobody: an event of a delivery would have to be delivered."""

    def __init__(self, uow: UnitOfWork[WebhooksTransaction], *, auditor: Auditor, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    async def list(
        self,
        actor: Actor,
        org_id: OrgId,
        webhook_id: WebhookId,
        page: PageRequest,
        *,
        status: DeliveryStatus | None = None,
    ) -> Page[Delivery]:
        """Raises NotFound `webhook_not_found`."""
        tenant = actor.require(Action.WEBHOOK_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            webhook = await tx.webhooks.get(tenant, webhook_id)
            return await tx.deliveries.list(webhook, page, status=status)

    async def get(self, actor: Actor, org_id: OrgId, webhook_id: WebhookId, delivery_id: DeliveryId) -> Delivery:
        """Raises NotFound `webhook_not_found`, `webhook_delivery_not_found`."""
        tenant = actor.require(Action.WEBHOOK_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.deliveries.get(await tx.webhooks.get(tenant, webhook_id), delivery_id)

    @retried
    async def test(
        self, actor: Actor, org_id: OrgId, webhook_id: WebhookId, *, idempotency: IdempotencyKey | None = None
    ) -> Delivery:
        """Send a message that is no event. Raises NotFound `webhook_not_found`, Conflict `webhook_disabled`."""
        tenant = actor.require(Action.WEBHOOK_UPDATE, org_id=org_id)
        now, scope = self._clock.now(), f"{webhook_id}/test"
        async with self._uow() as tx:
            webhook = await tx.webhooks.get(tenant, webhook_id)
            once = Once(tx.idempotency, scope, idempotency, now=now)
            made = await once.made()
            if made is not None:
                return await tx.deliveries.get(webhook, DeliveryId(made))
            _require_enabled(webhook)
            message_id = self._ids.new("evt")
            delivery = Delivery(
                id=DeliveryId(self._ids.new("whd")),
                webhook_id=webhook_id,
                event_id=message_id,
                type=PING,
                body=ping_of(webhook, message_id, at=now, request_id=actor.request_id),
                created_at=now,
                next_attempt_at=now,
            )
            await tx.deliveries.add([delivery])
            await once.makes(delivery.id, delivery)
            await self._asked(tx, tenant, webhook, test=delivery.id)
            await tx.commit()
        return delivery

    @retried
    async def redeliver(
        self,
        actor: Actor,
        org_id: OrgId,
        webhook_id: WebhookId,
        delivery_id: DeliveryId,
        *,
        idempotency: IdempotencyKey | None = None,
    ) -> Delivery:
        """Send it now, whatever became of it, with the whole schedule before it again.

        Raises NotFound `webhook_not_found`, `webhook_delivery_not_found`; Conflict `webhook_disabled`.
        """
        tenant = actor.require(Action.WEBHOOK_UPDATE, org_id=org_id)
        now, scope = self._clock.now(), f"{delivery_id}/redeliver"
        async with self._uow() as tx:
            webhook = await tx.webhooks.get(tenant, webhook_id)
            delivery = await tx.deliveries.get(webhook, delivery_id)
            once = Once(tx.idempotency, scope, idempotency, now=now)
            if await once.made() is not None:
                return delivery
            _require_enabled(webhook)
            delivery = await tx.deliveries.update(delivery.asked_again(now))
            await once.makes(delivery_id, delivery)
            await self._asked(tx, tenant, webhook, redelivered=delivery_id)
            await tx.commit()
        return delivery

    async def _asked(self, tx: WebhooksTransaction, tenant: Tenant, webhook: Webhook, **detail: str) -> None:
        await tx.due.add(KIND, webhook.id, at=self._clock.now())
        await self._auditor.note(tx, tenant, Action.WEBHOOK_UPDATE, webhook.id, **detail)


def _require_enabled(webhook: Webhook) -> None:
    if not webhook.enabled:
        raise Conflict("webhook_disabled", "The webhook is disabled; enable it first.", id=webhook.id)
