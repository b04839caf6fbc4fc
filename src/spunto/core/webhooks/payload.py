"""What is sent: the event as the event stream tells it, as text that is signed and kept as it is."""

import json
from datetime import datetime

from spunto.core.activity.events import Event
from spunto.core.webhooks.model import PING, Webhook


def body_of(event: Event) -> str:
    return _text(
        {
            "id": event.id,
            "sequence": event.sequence,
            "orgId": event.org_id,
            "type": event.type.value,
            "subjectId": event.subject_id,
            "data": dict(event.data),
            "at": _instant(event.at),
            "requestId": event.request_id,
        }
    )


def ping_of(webhook: Webhook, message_id: str, *, at: datetime, request_id: str) -> str:
    """A test's body: shaped as an event, without a number because it stands in no feed."""
    return _text(
        {
            "id": message_id,
            "sequence": None,
            "orgId": webhook.org_id,
            "type": PING,
            "subjectId": webhook.id,
            "data": {},
            "at": _instant(at),
            "requestId": request_id,
        }
    )


def _text(body: object) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
