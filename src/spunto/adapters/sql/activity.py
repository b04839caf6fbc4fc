"""The audit log in SQL."""

from sqlalchemy import bindparam, insert, select

from spunto.adapters.sql.paging import one_more
from spunto.adapters.sql.statements import Statements
from spunto.adapters.sql.tables import audit_entries
from spunto.core.access.model import Tenant
from spunto.core.access.policy import Action
from spunto.core.activity.model import AuditEntry

_ADD = insert(audit_entries)
_LIST = (
    select(audit_entries)
    .where(audit_entries.c.org_id == bindparam("org_id"))
    .order_by(audit_entries.c.id.desc())
    .limit(one_more())
)


class SqlAuditLog:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, entry: AuditEntry) -> None:
        await self._statements.change(
            _ADD,
            {
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
            },
        )

    async def list(self, tenant: Tenant, *, limit: int) -> list[AuditEntry]:
        rows = await self._statements.all(_LIST, {"org_id": tenant.org_id, "limit": limit})
        return [
            AuditEntry(
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
            )
            for (
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
            ) in rows
        ]
