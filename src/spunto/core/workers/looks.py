"""Looks into what is somebody else's: who may, and what the audit log hears of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from spunto.core.access.model import Tenant
from spunto.core.access.policy import Action
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.workers.model import Worker
from spunto.core.workers.ports import WorkersTransaction

REPEATED_WITHIN: Final = timedelta(minutes=5)
_MAX_REMEMBERED: Final = 4096
_OF_ALL: Final = ("phase", "startedAt", "repos", "error", "timings")
_STAGES: Final = ("postCreate", "postStart")


def owns(tenant: Tenant, worker: Worker) -> bool:
    return tenant.owns(user_id=worker.user_id, api_key_id=worker.api_key_id)


def require_entry(tenant: Tenant, worker: Worker) -> None:
    """Raises Forbidden `not_owner`."""
    tenant.require_entry(user_id=worker.user_id, api_key_id=worker.api_key_id)


def require_output(tenant: Tenant, worker: Worker) -> None:
    """Its owner and admins read what a worker says. Raises Forbidden `not_owner`."""
    tenant.require_own_or_admin(user_id=worker.user_id, api_key_id=worker.api_key_id)


def has_output(worker: Worker) -> bool:
    return worker.setup is not None and without_output(worker).setup != worker.setup


def without_output(worker: Worker) -> Worker:
    """As every member sees it: how far its set-up is, but not what the commands said."""
    if worker.setup is None:
        return worker
    shown: dict[str, Any] = {key: worker.setup[key] for key in _OF_ALL if key in worker.setup}
    for stage in _STAGES:
        if stage in worker.setup:
            result = worker.setup[stage]
            shown[stage] = {"exitCode": result.get("exitCode")} if isinstance(result, Mapping) else None
    return replace(worker, setup=shown)


class Looks:
    """Notes in the audit log that somebody looked into a worker that is not theirs, once for a row of looks."""

    def __init__(self, uow: UnitOfWork[WorkersTransaction], *, auditor: Auditor, clock: Clock) -> None:
        self._uow = uow
        self._auditor = auditor
        self._clock = clock
        self._noted: dict[tuple[str, str, Action], datetime] = {}

    async def note(self, tenant: Tenant, action: Action, worker: Worker) -> None:
        """Raises Unavailable where it can't be noted: then nothing is shown."""
        if owns(tenant, worker):
            return
        key, now = (tenant.actor.credential_id, worker.id, action), self._clock.now()
        noted_at = self._noted.get(key)
        if noted_at is not None and now - noted_at < REPEATED_WITHIN:
            return
        async with self._uow() as tx:
            await self._auditor.note(tx, tenant, action, worker.id, name=worker.name, projectId=worker.project_id)
            await tx.commit()
        if len(self._noted) >= _MAX_REMEMBERED:
            self._noted.clear()
        self._noted[key] = now
