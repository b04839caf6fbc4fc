"""Leases of server processes in SQL. Processes on one Postgres go by its clock, because their own may be apart."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from spunto.adapters.sql.statements import Statements, first
from spunto.adapters.sql.tables.nodes import replicas
from spunto.adapters.sql.types import Instant
from spunto.core.nodes.model import ReplicaId
from spunto.core.nodes.replica import Replica


def has_lease(dialect: str) -> ColumnElement[bool]:
    """Whether the replica's lease lasts; on SQLite the statement takes `now`."""
    if dialect == "sqlite":
        return replicas.c.lease_until > bindparam("now", type_=Instant)
    return replicas.c.lease_until > func.clock_timestamp()


def _renewing(dialect: str) -> Any:
    insert = sqlite.insert(replicas) if dialect == "sqlite" else postgresql.insert(replicas)
    lease_until: Any = bindparam("lease_until", type_=Instant)
    if dialect == "postgresql":
        lease_until = func.clock_timestamp() + bindparam("lease", type_=postgresql.INTERVAL)
    fresh = insert.values(
        id=bindparam("replica_id", type_=Text), url=bindparam("replica_url", type_=Text), lease_until=lease_until
    )
    return fresh.on_conflict_do_update(
        index_elements=["id"], set_={"url": fresh.excluded.url, "lease_until": fresh.excluded.lease_until}
    )


_DIALECTS = ("sqlite", "postgresql")
_RENEW = {dialect: _renewing(dialect) for dialect in _DIALECTS}
_BY_ID = replicas.c.id == bindparam("replica_id")
_FIND = {dialect: select(replicas.c.url).where(_BY_ID, has_lease(dialect)) for dialect in _DIALECTS}
_REMOVE = delete(replicas).where(_BY_ID)
_PRUNE = {dialect: delete(replicas).where(~has_lease(dialect)) for dialect in _DIALECTS}


class SqlReplicaRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._dialect = statements.dialect

    async def renew(self, replica: Replica, *, now: datetime, for_seconds: float) -> None:
        lease = timedelta(seconds=for_seconds)
        until = {"lease_until": now + lease} if self._dialect == "sqlite" else {"lease": lease}
        values = {"replica_id": replica.id, "replica_url": replica.url, **until}
        await self._statements.change(_RENEW[self._dialect], values)

    async def find(self, replica_id: ReplicaId, *, now: datetime) -> Replica | None:
        row = await first(self._statements, _FIND[self._dialect], {"replica_id": replica_id, **self._at(now)})
        return None if row is None else Replica(id=replica_id, url=row[0])

    async def remove(self, replica_id: ReplicaId) -> None:
        await self._statements.change(_REMOVE, {"replica_id": replica_id})

    async def prune(self, *, now: datetime) -> None:
        await self._statements.change(_PRUNE[self._dialect], self._at(now))

    def _at(self, now: datetime) -> dict[str, datetime]:
        return {"now": now} if self._dialect == "sqlite" else {}
