"""The audit log and the event feed over HTTP."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, Field
from quart import Blueprint, Response, g, request
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.activity.events import Event, EventType
from spunto.core.activity.model import AuditEntry, AuditFilter, Outcome
from spunto.core.activity.service import ActivityService, Heartbeat, Position, Reset, Told
from spunto.core.kernel.errors import Malformed
from spunto.core.kernel.paging import PageRequest
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import PageQuery, asked_page_of, page_response
from spunto.entrypoints.http.requests import Query, query
from spunto.entrypoints.http.responses import json_bytes
from spunto.entrypoints.http.streaming import Streams
from spunto.entrypoints.serving.security import Doorkeeper

JSON_LINES: Final = "application/x-ndjson"
EVENT_STREAM: Final = "text/event-stream"
RETRY_MILLISECONDS: Final = 1000
_EXPORT_PAGE: Final = 200
_LARGEST: Final = 2**63 - 1

SubjectId = Annotated[str, Field(max_length=200)]
Sequence_ = Annotated[int, Field(ge=0, le=_LARGEST)]


class AuditQuery(PageQuery):
    actor: SubjectId | None = None
    action: Action | None = None
    target: SubjectId | None = None
    outcome: Outcome | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class EventsQuery(Query):
    after: Sequence_ | None = None


class AuditEntryOut(TypedDict):
    id: str
    at: datetime
    actorKind: str
    actorId: str
    credentialId: str
    action: Action
    targetId: str
    outcome: Outcome
    requestId: str
    detail: dict[str, str]


class AuditEntriesOut(TypedDict):
    items: list[AuditEntryOut]
    nextCursor: str | None


class EventOut(TypedDict):
    id: str
    sequence: int
    orgId: OrgId
    type: EventType
    subjectId: str
    data: dict[str, str]
    at: datetime
    requestId: str


def audit_entry_out(entry: AuditEntry) -> AuditEntryOut:
    return {
        "id": entry.id,
        "at": entry.at,
        "actorKind": entry.actor_kind,
        "actorId": entry.actor_id,
        "credentialId": entry.credential_id,
        "action": entry.action,
        "targetId": entry.target_id,
        "outcome": entry.outcome,
        "requestId": entry.request_id,
        "detail": dict(entry.detail),
    }


def event_out(event: Event) -> EventOut:
    return {
        "id": event.id,
        "sequence": event.sequence,
        "orgId": event.org_id,
        "type": event.type,
        "subjectId": event.subject_id,
        "data": dict(event.data),
        "at": event.at,
        "requestId": event.request_id,
    }


def activity_blueprint(activity: ActivityService, doorkeeper: Doorkeeper, streams: Streams) -> Blueprint:
    routes = Blueprint("activity", __name__, url_prefix="/api/orgs/<org_id>")

    @routes.get("/audit")
    @operation(
        "List the audit log",
        description="Every change and every refusal, newest first. With `Accept: application/x-ndjson` the answer is "
        "everything that matches, one entry a line; `limit` is not looked at then.",
        query=AuditQuery,
        answers={200: (AuditEntriesOut, JSON_LINES)},
    )
    async def audit(actor: Actor, org_id: OrgId) -> Response:
        asked = query(AuditQuery)
        matching = AuditFilter(
            actor_id=asked.actor,
            action=asked.action,
            target_id=asked.target,
            outcome=asked.outcome,
            since=asked.since,
            until=asked.until,
        )
        page = asked_page_of(asked, "evt")
        if request.accept_mimetypes.best_match(("application/json", JSON_LINES)) == JSON_LINES:
            first = await activity.audit(actor, org_id, PageRequest(limit=_EXPORT_PAGE, before=page.before), matching)

            async def lines() -> AsyncGenerator[bytes, None]:
                found = first
                while True:
                    yield b"".join(json_bytes(audit_entry_out(entry)) + b"\n" for entry in found.items)
                    if found.next_before is None:
                        return
                    following = PageRequest(limit=_EXPORT_PAGE, before=found.next_before)
                    found = await activity.audit(actor, org_id, following, matching)

            return streams.respond_whole(lines(), content_type=JSON_LINES)
        return page_response(await activity.audit(actor, org_id, page, matching), audit_entry_out)

    @routes.get("/events")
    @operation(
        "Follow the events",
        description="Server-sent events: each has its number as `id` and an event as `data`. `Last-Event-ID`, or "
        "`after`, resumes behind that number without a gap; with neither, the first message is `event: position` with "
        "the present number. `event: reset` says that what follows the asked number is not kept any more: look at "
        "everything anew, and go on from its `sequence`. A comment comes when nothing has happened for 15 seconds.",
        query=EventsQuery,
        answers={200: EVENT_STREAM},
        errors=("invalid_event_id", "server_stopping"),
    )
    async def events(actor: Actor, org_id: OrgId) -> Response:
        headers, request_id, after = request.headers, g.request_id, _asked_place()

        async def recognise() -> Actor | None:
            return None if streams.is_ending else await doorkeeper.admit(headers, method="GET", request_id=request_id)

        async def messages() -> AsyncGenerator[bytes, None]:
            yield b"retry: %d\n\n" % RETRY_MILLISECONDS
            following = activity.follow(recognise, org_id, after=after)
            try:
                async for told in following:
                    yield message_of(told)
            finally:
                await following.aclose()

        return streams.respond(messages(), content_type=EVENT_STREAM)

    return routes


def message_of(told: Told) -> bytes:
    """As the event stream format writes it; an event's own fields are all in `data`."""
    match told:
        case Position(sequence):
            return b'id: %d\nevent: position\ndata: {"sequence":%d}\n\n' % (sequence, sequence)
        case Reset(sequence):
            return b'id: %d\nevent: reset\ndata: {"sequence":%d}\n\n' % (sequence, sequence)
        case Heartbeat():
            return b":\n\n"
        case _:
            return _messages(told)


def _messages(events: Sequence[Event]) -> bytes:
    return b"".join(b"id: %d\ndata: %b\n\n" % (event.sequence, json_bytes(event_out(event))) for event in events)


def _asked_place() -> int | None:
    """A browser that comes back says where it was in the header, whatever its address said at first."""
    asked = query(EventsQuery).after
    header = request.headers.get("Last-Event-ID", "")
    if not header:
        return asked
    if not (header.isascii() and header.isdigit() and int(header) <= _LARGEST):
        raise Malformed("invalid_event_id", "Last-Event-ID is the number of an event, as it stood in `id`.")
    return int(header)
