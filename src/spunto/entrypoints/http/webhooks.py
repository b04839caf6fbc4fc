"""Webhooks and their deliveries over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId
from spunto.core.activity.events import EventType
from spunto.core.webhooks.deliveries import DeliveryService
from spunto.core.webhooks.model import (
    MAX_DESCRIPTION_CHARACTERS,
    SENTENCES,
    Delivery,
    DeliveryId,
    DeliveryStatus,
    DisabledReason,
    Failure,
    Webhook,
    WebhookId,
    WebhookWithSecret,
)
from spunto.core.webhooks.service import WebhookService
from spunto.core.webhooks.urls import MAX_URL_CHARACTERS
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import PageQuery, asked_page, asked_page_of, page_response
from spunto.entrypoints.http.preconditions import precondition, tagged
from spunto.entrypoints.http.requests import In, idempotency_key, query, read, read_nothing
from spunto.entrypoints.http.requests import Nothing as NothingIn
from spunto.entrypoints.http.responses import Reply, json_response, made, no_content

WebhookUrl = Annotated[
    str,
    StringConstraints(max_length=MAX_URL_CHARACTERS, pattern=r"^https?://[!-~]+$"),
    Field(examples=["https://hooks.example.org/spunto"]),
]
Description = Annotated[str, StringConstraints(max_length=MAX_DESCRIPTION_CHARACTERS)]
Events = Annotated[
    list[Annotated[EventType, Field(strict=False)]],
    Field(min_length=1, max_length=len(EventType), description="What it is told of; null for everything."),
]


class WebhookIn(In):
    url: WebhookUrl
    events: Events | None = None
    description: Description = ""
    enabled: bool = True


class WebhookPatchIn(In):
    """A field that is absent stays as it is; `events: null` asks for everything."""

    url: WebhookUrl = Field(default_factory=str)
    events: Events | None = None
    description: Description = Field(default_factory=str)
    enabled: bool = Field(default_factory=bool)


class DeliveriesQuery(PageQuery):
    status: DeliveryStatus | None = None


class WebhookOut(TypedDict):
    id: WebhookId
    orgId: OrgId
    url: str
    description: str
    events: list[EventType] | None
    enabled: bool
    disabledReason: DisabledReason | None
    failingSince: datetime | None
    createdAt: datetime
    updatedAt: datetime


class WebhookWithSecretOut(WebhookOut):
    secret: str


class WebhooksOut(TypedDict):
    items: list[WebhookOut]
    nextCursor: str | None


class DeliveryErrorOut(TypedDict):
    code: Failure
    message: str


class DeliveryOut(TypedDict):
    id: DeliveryId
    webhookId: WebhookId
    eventId: str
    type: str
    status: DeliveryStatus
    attempts: int
    responseStatus: int | None
    error: DeliveryErrorOut | None
    durationMs: int | None
    createdAt: datetime
    lastAttemptAt: datetime | None
    nextAttemptAt: datetime | None


class DeliveriesOut(TypedDict):
    items: list[DeliveryOut]
    nextCursor: str | None


def webhook_out(webhook: Webhook) -> WebhookOut:
    return {
        "id": webhook.id,
        "orgId": webhook.org_id,
        "url": webhook.url,
        "description": webhook.description,
        "events": None if webhook.events is None else sorted(webhook.events),
        "enabled": webhook.enabled,
        "disabledReason": webhook.disabled_reason,
        "failingSince": webhook.failing_since,
        "createdAt": webhook.created_at,
        "updatedAt": webhook.updated_at,
    }


def with_secret_out(made: WebhookWithSecret) -> WebhookWithSecretOut:
    return {**webhook_out(made.webhook), "secret": made.secret.reveal()}


def delivery_out(delivery: Delivery) -> DeliveryOut:
    failure = delivery.failure
    return {
        "id": delivery.id,
        "webhookId": delivery.webhook_id,
        "eventId": delivery.event_id,
        "type": delivery.type,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "responseStatus": delivery.response_status,
        "error": None if failure is None else {"code": failure, "message": SENTENCES[failure]},
        "durationMs": delivery.duration_ms,
        "createdAt": delivery.created_at,
        "lastAttemptAt": delivery.last_attempt_at,
        "nextAttemptAt": delivery.next_attempt_at,
    }


def _sent(delivery: Delivery) -> Reply:
    return Reply(delivery_out(delivery), 202)


def webhooks_blueprint(webhooks: WebhookService) -> Blueprint:
    routes = Blueprint("webhooks", __name__, url_prefix="/api/orgs/<org_id>/webhooks")

    @routes.get("")
    @operation("List the webhooks", query=PageQuery, answers={200: WebhooksOut})
    async def list_all(actor: Actor, org_id: OrgId) -> Response:
        return page_response(await webhooks.list(actor, org_id, asked_page("whk")), webhook_out)

    @routes.post("")
    @operation(
        "Create a webhook",
        description=(
            "It is told of every event of the organization's from now on that `events` names, its own creation first "
            "where that is one. Messages are signed as Standard Webhooks has it, by the `secret` in this answer, "
            "which is not shown again. The URL is https, and must lead to the public internet. An organization has at "
            "most 20."
        ),
        body=WebhookIn,
        answers={201: WebhookWithSecretOut},
        errors=("webhook_url_invalid", "webhook_url_not_allowed", "webhooks_full", "token_not_repeatable"),
        idempotent=True,
    )
    async def create(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(WebhookIn)
        new = await webhooks.create(
            actor,
            org_id,
            url=asked.url,
            events=None if asked.events is None else frozenset(asked.events),
            description=asked.description,
            enabled=asked.enabled,
            idempotency=await idempotency_key(actor),
        )
        return made(with_secret_out(new), at=f"/api/orgs/{org_id}/webhooks/{new.webhook.id}")

    @routes.get("/<webhook_id>")
    @operation("Get a webhook", answers={200: WebhookOut}, tagged=True)
    async def get(actor: Actor, org_id: OrgId, webhook_id: WebhookId) -> Response:
        return tagged(webhook_out(await webhooks.get(actor, org_id, webhook_id)))

    @routes.patch("/<webhook_id>")
    @operation(
        "Change a webhook",
        description="One that is enabled again is told what happens from then on. Disabling it gives up what waits.",
        body=WebhookPatchIn,
        answers={200: WebhookOut},
        errors=("webhook_url_invalid", "webhook_url_not_allowed"),
        tagged=True,
    )
    async def update(actor: Actor, org_id: OrgId, webhook_id: WebhookId) -> Response:
        changes: dict[str, Any] = (await read(WebhookPatchIn)).model_dump(exclude_unset=True)
        if changes.get("events") is not None:
            changes["events"] = frozenset(changes["events"])
        expected = precondition(webhook_out)
        return tagged(webhook_out(await webhooks.update(actor, org_id, webhook_id, precondition=expected, **changes)))

    @routes.delete("/<webhook_id>")
    @operation("Delete a webhook, with its deliveries", answers={204: None}, tagged=True)
    async def delete(actor: Actor, org_id: OrgId, webhook_id: WebhookId) -> Response:
        await webhooks.delete(actor, org_id, webhook_id, precondition=precondition(webhook_out))
        return no_content()

    @routes.post("/<webhook_id>/rotate-secret")
    @operation(
        "Sign by a new secret",
        description="For 24 hours messages carry a signature by the one before it, too. An older one ends at once.",
        body=NothingIn,
        answers={200: WebhookWithSecretOut},
        errors=("token_not_repeatable",),
        idempotent=True,
        operation_id="rotateWebhookSecret",
    )
    async def rotate_secret(actor: Actor, org_id: OrgId, webhook_id: WebhookId) -> Response:
        await read_nothing()
        rotated = await webhooks.rotate_secret(actor, org_id, webhook_id, idempotency=await idempotency_key(actor))
        return json_response(with_secret_out(rotated))

    return routes


def deliveries_blueprint(deliveries: DeliveryService) -> Blueprint:
    routes = Blueprint("deliveries", __name__, url_prefix="/api/orgs/<org_id>/webhooks/<webhook_id>")

    @routes.post("/test")
    @operation(
        "Send a test",
        description="A message of type `webhook.ping`, signed and retried like any other. It is no event.",
        body=NothingIn,
        answers={202: DeliveryOut},
        errors=("webhook_disabled",),
        idempotent=True,
        operation_id="testWebhook",
    )
    async def test(actor: Actor, org_id: OrgId, webhook_id: WebhookId) -> Response:
        await read_nothing()
        sent = await deliveries.test(actor, org_id, webhook_id, idempotency=await idempotency_key(actor, _sent))
        return _sent(sent).response()

    @routes.get("/deliveries")
    @operation(
        "List the deliveries of a webhook",
        description="The newest first; those that are over are kept for 7 days. What an endpoint answered is not kept, "
        "only its status.",
        query=DeliveriesQuery,
        answers={200: DeliveriesOut},
        operation_id="listWebhookDeliveries",
    )
    async def list_all(actor: Actor, org_id: OrgId, webhook_id: WebhookId) -> Response:
        asked = query(DeliveriesQuery)
        page = asked_page_of(asked, "whd")
        found = await deliveries.list(actor, org_id, webhook_id, page, status=asked.status)
        return page_response(found, delivery_out)

    @routes.get("/deliveries/<delivery_id>")
    @operation("Get a delivery", answers={200: DeliveryOut}, operation_id="getWebhookDelivery")
    async def get(actor: Actor, org_id: OrgId, webhook_id: WebhookId, delivery_id: DeliveryId) -> Response:
        return json_response(delivery_out(await deliveries.get(actor, org_id, webhook_id, delivery_id)))

    @routes.post("/deliveries/<delivery_id>/redeliver")
    @operation(
        "Deliver again",
        description="The same message under the same `webhook-id`, now and then as often as a new one.",
        body=NothingIn,
        answers={202: DeliveryOut},
        errors=("webhook_disabled",),
        idempotent=True,
        operation_id="redeliverWebhookDelivery",
    )
    async def redeliver(actor: Actor, org_id: OrgId, webhook_id: WebhookId, delivery_id: DeliveryId) -> Response:
        await read_nothing()
        sent = await deliveries.redeliver(
            actor, org_id, webhook_id, delivery_id, idempotency=await idempotency_key(actor, _sent)
        )
        return _sent(sent).response()

    return routes
