"""The audit log in SQL."""

from typing import Any

from sqlalchemy import Text, bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from spunto.adapters.sql.paging import page_of, paged, window
from spunto.adapters.sql.statements import AnyRow, Statements
from spunto.adapters.sql.tables.activity import audit_entries
from spunto.adapters.sql.tables.orgs import organizations
from spunto.adapters.sql.types import IdList, Instant, is_in
from spunto.core.access.model import Tenant
from spunto.core.access.policy import Action
from spunto.core.activity.model import EVERYTHING, AuditEntry, AuditFilter, Outcome
from spunto.core.kernel.paging import Page, PageRequest

_ADD = insert(audit_entries)
_ADD_ANEW = {
    "sqlite": sqlite.insert(audit_entries).on_conflict_do_nothing(index_elements=["id"]),
    "postgresql": postgresql.insert(audit_entries).on_conflict_do_nothing(index_elements=["id"]),
}
_KNOWN = select(organizations.c.id).where(is_in(organizations.c.id, bindparam("org_ids", type_=IdList)))


def _asked(name: str, type_: Any) -> Any:
    return bindparam(name, type_=type_)


_LIST = paged(
    select(audit_entries).where(
        audit_entries.c.org_id == bindparam("org_id"),
        *(
            _asked(name, Text).is_(None) | (audit_entries.c[name] == _asked(name, Text))
            for name in ("actor_id", "action", "target_id", "outcome")
        ),
        _asked("since", Instant).is_(None) | (audit_entries.c.at >= _asked("since", Instant)),
        _asked("until", Instant).is_(None) | (audit_entries.c.at < _asked("until", Instant)),
    ),
    audit_entries.c.id,
)


class SqlAuditLog:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, entry: AuditEntry) -> None:
        await self._statements.change(_ADD, _row(entry))

    async def add_where_known(self, entries: list[AuditEntry]) -> None:
        org_ids = {entry.org_id for entry in entries}
        known = {row[0] for row in await self._statements.all(_KNOWN, {"org_ids": sorted(org_ids)})}
        rows = [_row(entry) for entry in entries if entry.org_id in known]
        if rows:
            await self._statements.change(_ADD_ANEW[self._statements.dialect], rows)

    async def list(self, tenant: Tenant, page: PageRequest, matching: AuditFilter = EVERYTHING) -> Page[AuditEntry]:
        asked = {
            "actor_id": matching.actor_id,
            "action": matching.action,
            "target_id": matching.target_id,
            "outcome": matching.outcome,
            "since": matching.since,
            "until": matching.until,
        }
        rows = await self._statements.all(_LIST, {"org_id": tenant.org_id, **asked, **window(page)})
        return page_of(rows, page.limit, item_of=_entry, key_of=lambda entry: entry.id)


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "org_id": entry.org_id,
        "at": entry.at,
        "actor_kind": entry.actor_kind,
        "actor_id": entry.actor_id,
        "credential_id": entry.credential_id,
        "action": entry.action.value,
        "target_id": entry.target_id,
        "request_id": entry.request_id,
        "detail": dict(entry.detail),
        "outcome": entry.outcome.value,
    }


def _entry(row: AnyRow) -> AuditEntry:
    (
        entry_id,
        org_id,
        at,
        actor_kind,
        actor_id,
        credential_id,
        action,
        target_id,
        request_id,
        detail,
        outcome,
    ) = row
    return AuditEntry(
        id=entry_id,
        org_id=org_id,
        at=at,
        actor_kind=actor_kind,
        actor_id=actor_id,
        credential_id=credential_id,
        action=Action(action),
        target_id=target_id,
        request_id=request_id,
        detail=detail,
        outcome=Outcome(outcome),
    )
