"""The audit log and the event feed in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.rows import Draft
from spunto.core.access.model import OrgId, Tenant
from spunto.core.activity.events import ANY_TOPIC, Event, topic
from spunto.core.activity.model import EVERYTHING, AuditEntry, AuditFilter
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.orgs.model import Organization


class MemoryAuditLog:
    def __init__(self, entries: Draft[str, AuditEntry], organizations: Draft[OrgId, Organization]) -> None:
        self._entries = entries
        self._organizations = organizations

    async def add(self, entry: AuditEntry) -> None:
        self._entries.put(entry.id, entry)

    async def add_where_known(self, entries: list[AuditEntry]) -> None:
        for entry in entries:
            if self._organizations.get(entry.org_id) is not None:
                await self.add(entry)

    async def list(self, tenant: Tenant, page: PageRequest, matching: AuditFilter = EVERYTHING) -> Page[AuditEntry]:
        own = (each for each in self._entries.values() if each.org_id == tenant.org_id and _matches(each, matching))
        return page_of(own, page, id_of=lambda entry: entry.id)


@dataclass(slots=True, kw_only=True)
class Feeds:
    """Every organization's committed events, and how many there ever were."""

    events: dict[OrgId, list[Event]] = field(default_factory=dict)
    last: dict[OrgId, int] = field(default_factory=dict)


class MemoryEventFeed:
    def __init__(self, feeds: Feeds, hint: Callable[[str], None]) -> None:
        self._feeds = feeds
        self._hint = hint
        self._added: list[Event] = []

    async def add(self, event: Event) -> None:
        self._added.append(event)
        self._hint(topic(event.org_id))
        self._hint(ANY_TOPIC)

    async def last(self, org_id: OrgId) -> int:
        return self._feeds.last.get(org_id, 0)

    async def after(self, org_id: OrgId, sequence: int, *, limit: int) -> Sequence[Event]:
        return [each for each in self._feeds.events.get(org_id, ()) if each.sequence > sequence][:limit]

    async def prune(self, *, before: datetime, limit: int) -> int:
        old = [each for events in self._feeds.events.values() for each in events if each.at < before][:limit]
        for each in old:
            self._feeds.events[each.org_id].remove(each)
        return len(old)

    def apply(self) -> None:
        """Number what was added; nothing awaits between this and the rest of the commit."""
        for event in self._added:
            number = self._feeds.last.get(event.org_id, 0) + 1
            self._feeds.last[event.org_id] = number
            self._feeds.events.setdefault(event.org_id, []).append(replace(event, sequence=number))
        self._added.clear()


def _matches(entry: AuditEntry, wanted: AuditFilter) -> bool:
    return (
        wanted.actor_id in (None, entry.actor_id)
        and wanted.action in (None, entry.action)
        and wanted.target_id in (None, entry.target_id)
        and wanted.outcome in (None, entry.outcome)
        and (wanted.since is None or entry.at >= wanted.since)
        and (wanted.until is None or entry.at < wanted.until)
    )
