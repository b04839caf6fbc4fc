"""The audit log: who did what to which thing, written in the transaction that did it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from spunto.core.access.model import OrgId, Tenant
from spunto.core.access.policy import Action
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.ids import Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change. `actor_kind` and `actor_id` name who, `credential_id` with what, `detail` holds no secret."""

    id: str
    org_id: OrgId
    at: datetime
    actor_kind: str
    actor_id: str
    credential_id: str
    action: Action
    target_id: str
    request_id: str
    detail: Mapping[str, str] = field(default_factory=dict)


class AuditLog(Protocol):
    async def add(self, entry: AuditEntry) -> None: ...

    async def list(self, tenant: Tenant, *, limit: int) -> list[AuditEntry]:
        """The newest entries first."""


class Auditor:
    """Makes entries; use cases add them to their own transaction."""

    def __init__(self, *, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    def entry(self, tenant: Tenant, action: Action, target_id: str, **detail: str) -> AuditEntry:
        return AuditEntry(
            id=self._ids.new("evt"),
            org_id=tenant.org_id,
            at=self._clock.now(),
            actor_kind=tenant.actor.kind.value,
            actor_id=tenant.actor.subject_id,
            credential_id=tenant.actor.credential_id,
            action=action,
            target_id=target_id,
            request_id=tenant.actor.request_id,
            detail=detail,
        )
