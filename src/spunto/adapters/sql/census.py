"""The census in SQL."""

from collections import Counter
from datetime import datetime

from sqlalchemy import bindparam, func, select

from spunto.adapters.sql.statements import Statements
from spunto.adapters.sql.tables.kernel import due_subjects
from spunto.adapters.sql.tables.nodes import nodes
from spunto.adapters.sql.tables.workers import workers
from spunto.adapters.sql.types import Instant
from spunto.core.nodes.model import NodeStatus, status_of
from spunto.core.workers.census import Backlog, Census
from spunto.core.workers.model import WorkerState

# What `status_of` asks of a node, by its own words.
_STANDING = (
    nodes.c.deleting_at.is_not(None).label("deleting"),
    nodes.c.quarantine.is_not(None).label("quarantined"),
    nodes.c.incompatible.is_not(None).label("incompatible"),
    (nodes.c.epoch > 0).label("has_connected"),
    nodes.c.connected,
    nodes.c.draining,
    # All else that keeps a node from accepting comes before it there.
    (~nodes.c.accepting).label("without_engine"),
)
_NODES = select(*_STANDING, func.count()).group_by(*_STANDING)
_WORKERS = select(workers.c.state, func.count()).group_by(workers.c.state)
_BACKLOGS = (
    select(due_subjects.c.kind, func.count(), func.min(due_subjects.c.due_at, type_=Instant))
    .where(due_subjects.c.due_at <= bindparam("now", type_=Instant))
    .group_by(due_subjects.c.kind)
)


class SqlCensus:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def take(self, *, now: datetime) -> Census:
        counted: Counter[NodeStatus] = Counter()
        for *standing, count in await self._statements.all(_NODES, {}):
            named = {column.name: bool(value) for column, value in zip(_STANDING, standing, strict=True)}
            counted[status_of(**named)] += count
        states = await self._statements.all(_WORKERS, {})
        backlogs = await self._statements.all(_BACKLOGS, {"now": now})
        return Census(
            nodes=counted,
            workers={WorkerState(state): count for state, count in states},
            backlogs={kind: Backlog(depth=depth, oldest_due_at=oldest) for kind, depth, oldest in backlogs},
        )
