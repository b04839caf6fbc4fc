"""What the API tells of what happened: audit entries, events, and the webhooks that pass them on."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field, SecretStr, field_serializer

from spunto.client.models import Failure, WireModel


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


class AuditEntry(WireModel):
    """One change or refusal: who (`actor_id`), by which credential, did or wanted to do what to which thing."""

    id: str
    at: datetime
    actor_kind: str
    actor_id: str
    credential_id: str
    action: str
    target_id: str
    outcome: str
    request_id: str = ""
    detail: Mapping[str, str] = Field(default_factory=dict)


class Event(WireModel):
    """Something that happened in an organization; its events are numbered by `sequence`, without a gap."""

    id: str
    sequence: int
    org_id: str
    type: str
    subject_id: str
    data: Mapping[str, str] = Field(default_factory=dict)
    at: datetime
    request_id: str = ""
