"""The audit log: who did what to which thing, written in the transaction that did it, and who was refused what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from spunto.core.access.model import Actor, OrgId, Tenant
from spunto.core.access.policy import Action
from spunto.core.activity.events import EVENT_OF, ONLY_NAMED, Event, EventFeed, EventType
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.paging import Page, PageRequest


class Outcome(StrEnum):
    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change, or one refusal. `actor_kind` and `actor_id` name who, `credential_id` with what.

    `detail` holds no secret.
    """

    id: str
    org_id: OrgId
    at: datetime
    actor_kind: str
    actor_id: str
    credential_id: str
    action: Action
    target_id: str
    request_id: str
    outcome: Outcome = Outcome.ALLOWED
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are asked for; None asks for all. `since` is part of what is found, `until` is not."""

    actor_id: str | None = None
    action: Action | None = None
    target_id: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = AuditFilter()


class AuditLog(Protocol):
    async def add(self, entry: AuditEntry) -> None: ...

    async def add_where_known(self, entries: list[AuditEntry]) -> None:
        """Those of organizations that exist; the others are passed over. Repeating is harmless."""

    async def list(self, tenant: Tenant, page: PageRequest, matching: AuditFilter = EVERYTHING) -> Page[AuditEntry]:
        """The newest entries first."""


class Recording(Protocol):
    """A transaction in which something is done that others may want to know."""

    @property
    def audit(self) -> AuditLog: ...
    @property
    def events(self) -> EventFeed: ...


class Auditor:
    """Makes entries and events; use cases add them to their own transaction by `record`."""

    def __init__(self, *, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    async def record(self, tx: Recording, tenant: Tenant, action: Action, target_id: str, **detail: str) -> None:
        """Write the audit entry, and the event that others are told of it by.

        `detail` stands in both, unless the event is of those that are ONLY_NAMED.
        """
        entry = self.entry(tenant.actor, tenant.org_id, action, target_id, detail=detail)
        await tx.audit.add(entry)
        kind = EVENT_OF.get(action)
        if kind is not None:
            data = {} if kind in ONLY_NAMED else detail
            await self.announce(tx, tenant.org_id, kind, target_id, request_id=entry.request_id, data=data)

    async def note(self, tx: Recording, tenant: Tenant, action: Action, target_id: str, **detail: str) -> None:
        """Write the audit entry alone: of what was asked for, and leaves everything as it is."""
        await tx.audit.add(self.entry(tenant.actor, tenant.org_id, action, target_id, detail=detail))

    async def announce(
        self,
        tx: Recording,
        org_id: OrgId,
        kind: EventType,
        subject_id: str,
        *,
        request_id: str = "",
        data: Mapping[str, str],
    ) -> None:
        """Write an event alone: of what happens by itself, which nobody has to answer for."""
        await tx.events.add(
            Event(
                id=self._ids.new("evt"),
                org_id=org_id,
                type=kind,
                subject_id=subject_id,
                data=data,
                at=self._clock.now(),
                request_id=request_id,
            )
        )

    def entry(
        self,
        actor: Actor,
        org_id: OrgId,
        action: Action,
        target_id: str,
        *,
        outcome: Outcome = Outcome.ALLOWED,
        detail: Mapping[str, str],
    ) -> AuditEntry:
        return AuditEntry(
            id=self._ids.new("evt"),
            org_id=org_id,
            at=self._clock.now(),
            actor_kind=actor.kind.value,
            actor_id=actor.subject_id,
            credential_id=actor.credential_id,
            action=action,
            target_id=target_id,
            request_id=actor.request_id,
            outcome=outcome,
            detail=detail,
        )
