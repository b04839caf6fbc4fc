"""Deliveries of webhooks in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Text, bindparam, delete, func, insert, select, update

from spunto.adapters.sql.paging import one_more, page_of, paged, window
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.webhooks import webhook_deliveries
from spunto.adapters.sql.types import Instant
from spunto.adapters.sql.versioned import Versioned
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.webhooks.model import Delivery, DeliveryId, DeliveryStatus, Failure, Webhook, WebhookId

_c = webhook_deliveries.c
_OF_WEBHOOK = _c.webhook_id == bindparam("of_webhook")
_status = bindparam("of_status", type_=Text)
_ADD = insert(webhook_deliveries)
_GET = select(webhook_deliveries).where(_OF_WEBHOOK, _c.id == bindparam("of_id"))
_LIST = paged(select(webhook_deliveries).where(_OF_WEBHOOK, _status.is_(None) | (_c.status == _status)), _c.id)
_DUE = (
    select(webhook_deliveries)
    .where(_OF_WEBHOOK, _c.next_attempt_at <= bindparam("now", type_=Instant))
    .order_by(_c.next_attempt_at, _c.id)
    .limit(one_more())
)
_NEXT = select(func.min(_c.next_attempt_at, type_=Instant)).where(_OF_WEBHOOK)
_FAIL_PENDING = (
    update(webhook_deliveries)
    .where(_OF_WEBHOOK, _c.next_attempt_at.is_not(None))
    .values(
        status=DeliveryStatus.FAILED.value,
        failure=bindparam("to_failure", type_=Text),
        next_attempt_at=None,
        version=_c.version + 1,
    )
)
_PRUNE = delete(webhook_deliveries).where(
    _c.id.in_(
        select(_c.id)
        .where(_c.created_at < bindparam("before", type_=Instant), _c.next_attempt_at.is_(None))
        .order_by(_c.created_at)
        .limit(bindparam("limit", type_=BigInteger))
    )
)


class SqlDeliveryRepository:
    """A delivery is pending as long as it has a next attempt."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            await self._statements.change(_ADD, [_columns(each) for each in deliveries])

    async def get(self, webhook: Webhook, delivery_id: DeliveryId) -> Delivery:
        row = await first(self._statements, _GET, {"of_webhook": webhook.id, "of_id": delivery_id})
        if row is None:
            raise NotFound("webhook_delivery_not_found", f"There is no delivery {delivery_id!r}.", id=delivery_id)
        return _delivery(row)

    async def list(self, webhook: Webhook, page: PageRequest, *, status: DeliveryStatus | None) -> Page[Delivery]:
        asked = {"of_webhook": webhook.id, "of_status": None if status is None else status.value}
        rows = await self._statements.all(_LIST, {**asked, **window(page)})
        return page_of(rows, page.limit, item_of=_delivery, key_of=lambda delivery: delivery.id)

    async def due(self, webhook_id: WebhookId, *, now: datetime, limit: int) -> Sequence[Delivery]:
        rows = await self._statements.all(_DUE, {"of_webhook": webhook_id, "now": now, "limit": limit})
        return [_delivery(row) for row in rows]

    async def next_due_at(self, webhook_id: WebhookId) -> datetime | None:
        row = await first(self._statements, _NEXT, {"of_webhook": webhook_id})
        return None if row is None else row[0]

    async def update(self, delivery: Delivery) -> Delivery:
        return await _DELIVERIES.update(self._statements, delivery)

    async def fail_pending(self, webhook_id: WebhookId, failure: Failure) -> None:
        await self._statements.change(_FAIL_PENDING, {"of_webhook": webhook_id, "to_failure": failure.value})

    async def prune(self, *, before: datetime, limit: int) -> int:
        return await self._statements.change(_PRUNE, {"before": before, "limit": limit})


def _columns(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "event_id": delivery.event_id,
        "type": delivery.type,
        "body": delivery.body,
        "status": delivery.status.value,
        "attempts": delivery.attempts,
        "response_status": delivery.response_status,
        "failure": None if delivery.failure is None else delivery.failure.value,
        "duration_ms": delivery.duration_ms,
        "created_at": delivery.created_at,
        "last_attempt_at": delivery.last_attempt_at,
        "next_attempt_at": delivery.next_attempt_at,
        "version": delivery.version,
    }


def _delivery(row: AnyRow) -> Delivery:
    delivery_id, webhook_id, event_id, kind, body, status, attempts, response_status, *more = row
    failure, duration_ms, created_at, last_attempt_at, next_attempt_at, version = more
    return Delivery(
        id=delivery_id,
        webhook_id=webhook_id,
        event_id=event_id,
        type=kind,
        body=body,
        status=DeliveryStatus(status),
        attempts=attempts,
        response_status=response_status,
        failure=None if failure is None else Failure(failure),
        duration_ms=duration_ms,
        created_at=created_at,
        last_attempt_at=last_attempt_at,
        next_attempt_at=next_attempt_at,
        version=version,
    )


_DELIVERIES = Versioned(
    webhook_deliveries,
    kind="delivery",
    read=_delivery,
    write=_columns,
    fixed=["webhook_id", "event_id", "type", "body"],
)
