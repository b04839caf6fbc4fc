"""Leases of server processes in memory, where there is one process."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spunto.adapters.memory.rows import Draft
from spunto.core.nodes.model import ReplicaId
from spunto.core.nodes.replica import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    replica: Replica
    until: datetime

    def extended(self, seconds: float) -> "Lease":
        return replace(self, until=self.until + timedelta(seconds=seconds))


class MemoryReplicas:
    def __init__(self, leases: Draft[ReplicaId, Lease]) -> None:
        self._leases = leases

    async def renew(self, replica: Replica, *, now: datetime, for_seconds: float) -> None:
        self._leases.put(replica.id, Lease(replica=replica, until=now + timedelta(seconds=for_seconds)))

    async def find(self, replica_id: ReplicaId, *, now: datetime) -> Replica | None:
        lease = self._leases.get(replica_id)
        return lease.replica if lease is not None and lease.until > now else None

    async def remove(self, replica_id: ReplicaId) -> None:
        self._leases.drop(replica_id)

    async def prune(self, *, now: datetime) -> None:
        for lease in [each for each in self._leases.values() if each.until <= now]:
            self._leases.drop(lease.replica.id)
