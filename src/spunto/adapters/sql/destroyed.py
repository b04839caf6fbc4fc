"""Workers that are gone, in SQL."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, delete, select

from spunto.adapters.sql.narrowing import narrowed
from spunto.adapters.sql.paging import one_more, page_of, paged_by, window
from spunto.adapters.sql.statements import Statements
from spunto.adapters.sql.tables.workers import destroyed_workers
from spunto.adapters.sql.types import Instant
from spunto.adapters.sql.versioned import Versioned
from spunto.adapters.sql.workers import asked_of, columns_of, worker_of
from spunto.core.access.model import Tenant
from spunto.core.kernel.paging import Order, Page, PageRequest
from spunto.core.projects.model import ProjectId
from spunto.core.workers.listing import ALL, WorkerFilter
from spunto.core.workers.model import Worker, WorkerId

_IN_TENANT = destroyed_workers.c.org_id == bindparam("org_id")
_OLD = (
    select(destroyed_workers.c.id)
    .where(destroyed_workers.c.state_since < bindparam("before", type_=Instant))
    .limit(one_more())
)
_PRUNE = delete(destroyed_workers).where(destroyed_workers.c.id.in_(_OLD))


@lru_cache(maxsize=256)
def _listing(said: frozenset[str], order: Order, dialect: str) -> Select[Any]:
    found = narrowed(select(destroyed_workers).where(_IN_TENANT), destroyed_workers, said, dialect)
    return paged_by(found, destroyed_workers, order, dialect)


class SqlDestroyedWorkerRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, worker: Worker) -> None:
        await _DESTROYED.add(self._statements, worker)

    async def get(self, tenant: Tenant, worker_id: WorkerId) -> Worker:
        return await _DESTROYED.get(self._statements, tenant, worker_id)

    async def list(
        self, tenant: Tenant, project_id: ProjectId | None, page: PageRequest, matching: WorkerFilter = ALL
    ) -> Page[Worker]:
        said = asked_of(project_id, matching)
        statement = _listing(frozenset(said), page.order, self._statements.dialect)
        rows = await self._statements.all(statement, {"org_id": tenant.org_id, **said, **window(page)})
        return page_of(rows, page.limit, item_of=worker_of, key_of=page.order.place_of)

    async def prune(self, *, before: datetime, limit: int) -> int:
        return await self._statements.change(_PRUNE, {"before": before, "limit": limit})


_DESTROYED = Versioned(destroyed_workers, kind="worker", read=worker_of, write=columns_of)
