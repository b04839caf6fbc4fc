"""Webhooks of organizations, the secrets that sign for them, and the deliveries of events to them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from spunto.core.access.model import OrgId
from spunto.core.activity.events import EventType
from spunto.core.kernel.secret import Secret
from spunto.core.secrets.model import Sealed

WebhookId = NewType("WebhookId", str)
WebhookSecretId = NewType("WebhookSecretId", str)
DeliveryId = NewType("DeliveryId", str)

MAX_WEBHOOKS: Final = 20
MAX_DESCRIPTION_CHARACTERS: Final = 500
# A receiver that has not got the new secret yet still finds a signature that it can check.
OLD_SECRET_FOR: Final = timedelta(hours=24)
FAILING_FOR: Final = timedelta(days=5)
PING: Final = "webhook.ping"
"""The type of a test's message, which is no event: nothing happened."""


class DisabledReason(StrEnum):
    """Why a webhook was disabled by itself."""

    GONE = "gone"
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """`events` is None for all of them. `read_to` is the number of the last event that was looked at for it.

    `failing_since` is the first failure after which nothing was delivered.
    """

    id: WebhookId
    org_id: OrgId
    url: str = field(repr=False)
    description: str
    events: frozenset[EventType] | None
    enabled: bool
    disabled_reason: DisabledReason | None = None
    read_to: int
    failing_since: datetime | None = None
    created_at: datetime
    updated_at: datetime
    version: int = 1

    def wants(self, kind: EventType) -> bool:
        return self.events is None or kind in self.events

    def having_read_to(self, sequence: int) -> "Webhook":
        return replace(self, read_to=sequence)

    def switched_on(self, *, read_to: int) -> "Webhook":
        """What happened while it was off is not made up for."""
        return replace(self, enabled=True, disabled_reason=None, failing_since=None, read_to=read_to)

    def switched_off(self, reason: DisabledReason | None = None) -> "Webhook":
        return replace(self, enabled=False, disabled_reason=reason, failing_since=None)

    def after(self, attempts: Sequence["Attempt"], *, at: datetime) -> "Webhook":
        """What a round of attempts says of the endpoint: it is well, it fails, or it is to be left alone."""
        if not attempts:
            return self
        if any(attempt.failure is Failure.GONE for attempt in attempts):
            return self.switched_off(DisabledReason.GONE)
        if any(attempt.failure is None for attempt in attempts):
            return replace(self, failing_since=None)
        since = self.failing_since or at
        if at - since >= FAILING_FOR:
            return self.switched_off(DisabledReason.FAILING)
        return replace(self, failing_since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSecret:
    """What signs for a webhook. `expires_at` is None for the newest; the one before it signs a while longer."""

    id: WebhookSecretId
    webhook_id: WebhookId
    org_id: OrgId
    sealed: Sealed
    created_at: datetime
    expires_at: datetime | None = None

    @property
    def bound_to(self) -> bytes:
        return bound_to(org_id=self.org_id, webhook_id=self.webhook_id, secret_id=self.id)


def bound_to(*, org_id: OrgId, webhook_id: WebhookId, secret_id: WebhookSecretId) -> bytes:
    """`org|owner|secret id|name|version`, as for users' secrets; these never get another value."""
    return f"{org_id}|{webhook_id}|{secret_id}|signing|1".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookWithSecret:
    """A webhook with the secret that signs for it, shown to whoever made or renewed it."""

    webhook: Webhook
    secret: Secret


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Failure(StrEnum):
    """Why an attempt was none, in our own words: what an endpoint answers is kept nowhere."""

    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    NAME_NOT_RESOLVED = "name_not_resolved"
    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    TIMEOUT = "timeout"
    BAD_ANSWER = "bad_answer"
    REDIRECTED = "redirected"
    STATUS = "status"
    GONE = "gone"
    WEBHOOK_DISABLED = "webhook_disabled"


SENTENCES: Final = {
    Failure.ADDRESS_NOT_ALLOWED: "The endpoint's name leads to an address that webhooks may not be sent to.",
    Failure.NAME_NOT_RESOLVED: "The endpoint's name has no address.",
    Failure.CONNECTION_FAILED: "The endpoint can't be connected to, or closed the connection.",
    Failure.TLS_FAILED: "The endpoint's certificate is not good for its name, or no TLS could be agreed on.",
    Failure.TIMEOUT: "The endpoint did not answer in time.",
    Failure.BAD_ANSWER: "What the endpoint answered is no HTTP.",
    Failure.REDIRECTED: "The endpoint wants to redirect, which is not followed; give its final address.",
    Failure.STATUS: "The endpoint answered with a status that is no success.",
    Failure.GONE: "The endpoint answered 410: it wants nothing any more.",
    Failure.WEBHOOK_DISABLED: "The webhook was disabled before it could be delivered.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one request ended: by a status, or without one by a failure."""

    status: int | None
    failure: Failure | None
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message for one webhook. `attempts` counts since it was last asked for; `body` never changes."""

    id: DeliveryId
    webhook_id: WebhookId
    event_id: str
    type: str
    body: str = field(repr=False)
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    response_status: int | None = None
    failure: Failure | None = None
    duration_ms: int | None = None
    created_at: datetime
    last_attempt_at: datetime | None = None
    next_attempt_at: datetime | None
    version: int = 1

    def tried(self, attempt: Attempt, *, at: datetime, next_attempt_at: datetime | None) -> "Delivery":
        """After an attempt; without a next one it is over."""
        if attempt.failure is None:
            status, next_attempt_at = DeliveryStatus.DELIVERED, None
        else:
            status = DeliveryStatus.FAILED if next_attempt_at is None else DeliveryStatus.PENDING
        return replace(
            self,
            status=status,
            attempts=self.attempts + 1,
            response_status=attempt.status,
            failure=attempt.failure,
            duration_ms=attempt.duration_ms,
            last_attempt_at=at,
            next_attempt_at=next_attempt_at,
        )

    def asked_again(self, at: datetime) -> "Delivery":
        """To be sent now, with the whole schedule before it."""
        return replace(self, status=DeliveryStatus.PENDING, attempts=0, next_attempt_at=at)
