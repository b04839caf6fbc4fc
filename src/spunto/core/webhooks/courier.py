"""Brings one webhook forward: takes in what its feed says, sends what is due, and notes what became of it.

A webhook keeps its place in the feed, and what it is to be sent is written in the transaction that moves the place on:
no event is missed and none is taken in twice, at no cost to whoever makes an event, and whatever dies in between.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Final

from spunto.core.activity.events import Event, EventType
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import StaleVersion
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.secrets.ports import Cipher
from spunto.core.webhooks.model import Attempt, Delivery, DeliveryId, Failure, Webhook, WebhookId
from spunto.core.webhooks.payload import body_of
from spunto.core.webhooks.ports import Answer, WebhookSender, WebhooksTransaction
from spunto.core.webhooks.schedule import failure_of, next_attempt_at
from spunto.core.webhooks.signing import signed_headers

KIND: Final = "webhook"
AT_ONCE: Final = 4
"""Requests to one endpoint at the same time."""
_EVENTS: Final = 100


class WebhookCourier:
    """Handles one webhook; called by the kernel's loop, under a lease, so that it is never handled twice at once.

    A crash after an endpoint got a message and before that is written sends it again: at least once, by the same id.
    """

    def __init__(
        self,
        uow: UnitOfWork[WebhooksTransaction],
        *,
        sender: WebhookSender,
        cipher: Cipher,
        auditor: Auditor,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._uow = uow
        self._sender = sender
        self._cipher = cipher
        self._clock = clock
        self._ids = ids
        self._auditor = auditor
        # Spreads retries, and guards nothing.
        self._jitter = random.Random()  # noqa: S311

    async def handle(self, subject_id: str) -> float | None:
        webhook = await self._take_in(WebhookId(subject_id))
        if webhook is None:
            return None
        due, secrets = await self._to_send(webhook)
        async with asyncio.TaskGroup() as group:
            sending = [
                group.create_task(self._deliver(webhook, delivery, secrets), name=f"deliver {delivery.id}")
                for delivery in due
            ]
        await self._note_health(webhook.id, [each.result() for each in sending])
        return await self._look_again_seconds(webhook)

    @retried
    async def _take_in(self, webhook_id: WebhookId) -> Webhook | None:
        """Make deliveries of the events behind the webhook's place; None where there is nothing to be sent any more."""
        async with self._uow() as tx:
            webhook = await tx.webhooks.find(webhook_id)
            if webhook is None:
                return None
            if not webhook.enabled:
                await tx.deliveries.fail_pending(webhook_id, Failure.WEBHOOK_DISABLED)
                await tx.commit()
                return None
            events = await tx.events.after(webhook.org_id, webhook.read_to, limit=_EVENTS)
            if events:
                await tx.deliveries.add([self._delivery(webhook, each) for each in events if webhook.wants(each.type)])
                webhook = await tx.webhooks.update(webhook.having_read_to(events[-1].sequence))
                await tx.commit()
        return webhook

    async def _to_send(self, webhook: Webhook) -> tuple[Sequence[Delivery], Sequence[Secret]]:
        now = self._clock.now()
        async with self._uow.reading() as tx:
            due = await tx.deliveries.due(webhook.id, now=now, limit=AT_ONCE)
            sealed = await tx.webhook_secrets.of(webhook.id) if due else ()
        good = [each for each in sealed if each.expires_at is None or now < each.expires_at]
        return due, [self._cipher.open(each.sealed, bound_to=each.bound_to) for each in good]

    async def _deliver(self, webhook: Webhook, delivery: Delivery, secrets: Sequence[Secret]) -> Attempt:
        begun, now = self._clock.monotonic(), self._clock.now()
        headers = signed_headers(
            secrets, message_id=delivery.event_id, timestamp=int(now.timestamp()), body=delivery.body
        )
        answer = await self._sender.send(webhook.url, headers=headers, body=delivery.body.encode())
        attempt = _attempt(answer, seconds=self._clock.monotonic() - begun)
        await self._note(delivery, attempt)
        return attempt

    async def _note(self, delivery: Delivery, attempt: Attempt) -> None:
        now = self._clock.now()
        again_at = next_attempt_at(delivery.attempts + 1, now=now, jitter=self._jitter.random())
        if attempt.failure is Failure.GONE:
            again_at = None
        try:
            async with self._uow() as tx:
                await tx.deliveries.update(delivery.tried(attempt, at=now, next_attempt_at=again_at))
                await tx.commit()
        except StaleVersion:
            # It was asked for again meanwhile, so that it is sent again; or it went with its webhook.
            return

    @retried
    async def _note_health(self, webhook_id: WebhookId, attempts: Sequence[Attempt]) -> None:
        async with self._uow() as tx:
            before = await tx.webhooks.find(webhook_id)
            if before is None or not before.enabled:
                return
            after = before.after(attempts, at=self._clock.now())
            if after == before:
                return
            await tx.webhooks.update(after)
            if not after.enabled:
                await tx.deliveries.fail_pending(webhook_id, Failure.WEBHOOK_DISABLED)
                data = {"reason": "" if after.disabled_reason is None else after.disabled_reason.value}
                await self._auditor.announce(tx, after.org_id, EventType.WEBHOOK_DISABLED, webhook_id, data=data)
            await tx.commit()

    async def _look_again_seconds(self, webhook: Webhook) -> float | None:
        async with self._uow.reading() as tx:
            if await tx.events.last(webhook.org_id) > webhook.read_to:
                return 0.0
            due_at = await tx.deliveries.next_due_at(webhook.id)
        return None if due_at is None else max(0.0, (due_at - self._clock.now()).total_seconds())

    def _delivery(self, webhook: Webhook, event: Event) -> Delivery:
        return Delivery(
            id=DeliveryId(self._ids.new("whd")),
            webhook_id=webhook.id,
            event_id=event.id,
            type=event.type.value,
            body=body_of(event),
            created_at=self._clock.now(),
            next_attempt_at=self._clock.now(),
        )


def _attempt(answer: Answer, *, seconds: float) -> Attempt:
    failure = answer.failure if answer.status is None else failure_of(answer.status)
    return Attempt(status=answer.status, failure=failure, duration_ms=round(seconds * 1000))
