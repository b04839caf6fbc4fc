"""The event feed of an organization: what happened, in one order, without gaps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from spunto.core.access.model import OrgId
from spunto.core.access.policy import Action


class EventType(StrEnum):
    """What may happen, in the past tense."""

    ORG_CREATED = "org.created"
    ORG_UPDATED = "org.updated"
    ORG_DELETED = "org.deleted"
    MEMBER_ADDED = "member.added"
    MEMBER_UPDATED = "member.updated"
    MEMBER_REMOVED = "member.removed"
    INVITATION_CREATED = "invitation.created"
    INVITATION_REVOKED = "invitation.revoked"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_UPDATED = "webhook.updated"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_DISABLED = "webhook.disabled"
    ORG_SECRET_CHANGED = "org_secret.changed"  # noqa: S105 - an event's name
    ORG_SECRET_DELETED = "org_secret.deleted"  # noqa: S105 - an event's name
    NODE_CREATED = "node.created"
    NODE_DELETED = "node.deleted"
    NODE_TOKEN_ROTATED = "node.token_rotated"  # noqa: S105 - an event's name
    NODE_DRAINED = "node.drained"
    NODE_UNDRAINED = "node.undrained"
    NODE_ONLINE = "node.online"
    NODE_OFFLINE = "node.offline"
    NODE_QUARANTINED = "node.quarantined"
    NODE_RAN_AHEAD = "node.ran_ahead"
    NODE_AGENT_INCOMPATIBLE = "node.agent_incompatible"
    NODE_DELETING = "node.deleting"
    NODE_UPDATED = "node.updated"
    PROJECT_CREATED = "project.created"
    PROJECT_UPDATED = "project.updated"
    PROJECT_DELETED = "project.deleted"
    WORKER_SPAWNED = "worker.spawned"
    WORKER_STATE_CHANGED = "worker.state_changed"
    WORKER_UPDATED = "worker.updated"
    WORKER_KEPT_ALIVE = "worker.kept_alive"
    WORKER_DESTROYED = "worker.destroyed"
    WORKER_SHARED = "worker.shared"
    WORKER_LINK_CREATED = "worker_link.created"
    WORKER_LINK_REVOKED = "worker_link.revoked"


EVENT_OF: Final[Mapping[Action, EventType]] = {
    Action.ORG_CREATE: EventType.ORG_CREATED,
    Action.ORG_UPDATE: EventType.ORG_UPDATED,
    Action.ORG_DELETE: EventType.ORG_DELETED,
    Action.MEMBER_ENROL: EventType.MEMBER_ADDED,
    Action.MEMBER_UPDATE: EventType.MEMBER_UPDATED,
    Action.MEMBER_REMOVE: EventType.MEMBER_REMOVED,
    Action.INVITATION_CREATE: EventType.INVITATION_CREATED,
    Action.INVITATION_REVOKE: EventType.INVITATION_REVOKED,
    Action.INVITATION_ACCEPT: EventType.MEMBER_ADDED,
    Action.API_KEY_CREATE: EventType.API_KEY_CREATED,
    Action.API_KEY_REVOKE: EventType.API_KEY_REVOKED,
    Action.WEBHOOK_CREATE: EventType.WEBHOOK_CREATED,
    Action.WEBHOOK_UPDATE: EventType.WEBHOOK_UPDATED,
    Action.WEBHOOK_DELETE: EventType.WEBHOOK_DELETED,
    Action.ORG_SECRET_PUT: EventType.ORG_SECRET_CHANGED,
    Action.ORG_SECRET_DELETE: EventType.ORG_SECRET_DELETED,
    Action.NODE_CREATE: EventType.NODE_CREATED,
    Action.NODE_UPDATE: EventType.NODE_UPDATED,
    Action.NODE_DELETE: EventType.NODE_DELETED,
    Action.NODE_ROTATE_TOKEN: EventType.NODE_TOKEN_ROTATED,
    Action.NODE_DRAIN: EventType.NODE_DRAINED,
    Action.NODE_UNDRAIN: EventType.NODE_UNDRAINED,
    Action.PROJECT_CREATE: EventType.PROJECT_CREATED,
    Action.PROJECT_UPDATE: EventType.PROJECT_UPDATED,
    Action.PROJECT_DELETE: EventType.PROJECT_DELETED,
    Action.WORKER_SPAWN: EventType.WORKER_SPAWNED,
    Action.WORKER_STOP: EventType.WORKER_STATE_CHANGED,
    Action.WORKER_START: EventType.WORKER_STATE_CHANGED,
    Action.WORKER_REBUILD: EventType.WORKER_STATE_CHANGED,
    Action.WORKER_DESTROY: EventType.WORKER_STATE_CHANGED,
    Action.WORKER_UPDATE: EventType.WORKER_UPDATED,
    Action.WORKER_KEEP_ALIVE: EventType.WORKER_KEPT_ALIVE,
    Action.WORKER_SHARE: EventType.WORKER_SHARED,
    Action.WORKER_LINK_CREATE: EventType.WORKER_LINK_CREATED,
    Action.WORKER_LINK_REVOKE: EventType.WORKER_LINK_REVOKED,
}
"""What an organization is told of an action. What is a person's own alone is told to nobody."""

ONLY_NAMED: Final = frozenset(
    {
        EventType.INVITATION_CREATED,
        EventType.INVITATION_REVOKED,
        EventType.API_KEY_CREATED,
        EventType.API_KEY_REVOKED,
        EventType.WEBHOOK_CREATED,
        EventType.WEBHOOK_UPDATED,
        EventType.WEBHOOK_DELETED,
        EventType.ORG_SECRET_CHANGED,
        EventType.ORG_SECRET_DELETED,
        EventType.WORKER_LINK_CREATED,
        EventType.WORKER_LINK_REVOKED,
    }
)
"""Told without detail: every member hears events, but only some may see whom others invite, what keys may, which
other servers are told, what secrets there are, and whom a worker's owner lets in."""


ANY_TOPIC: Final = "events"
"""Hinted by every event of any organization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `sequence` counts from 1 within the organization; it is 0 until the commit.

    `data` holds no secret.
    """

    id: str
    sequence: int = 0
    org_id: OrgId
    type: EventType
    subject_id: str
    data: Mapping[str, str] = field(default_factory=dict)
    at: datetime
    request_id: str = ""


class EventFeed(Protocol):
    """Append only; the oldest events are pruned."""

    async def add(self, event: Event) -> None:
        """Append when the transaction commits: only then it gets its number, and its topics are hinted.

        Whoever sees an event has seen, or can see, all those with lower numbers: numbers become visible in their order.
        """

    async def last(self, org_id: OrgId) -> int:
        """The newest number; 0 where nothing has happened yet. Pruning does not change it."""

    async def after(self, org_id: OrgId, sequence: int, *, limit: int) -> Sequence[Event]:
        """The events that follow, the oldest first."""

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Remove events from before that time, at most `limit`; how many there were."""


def topic(org_id: OrgId) -> str:
    """Hinted by every event of the organization."""
    return f"events:{org_id}"
