"""Workers in SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from spunto.adapters.sql.documents import problem_from_json, problem_to_json
from spunto.adapters.sql.paging import paged, window
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.workers import workers
from spunto.adapters.sql.types import IdList, is_in
from spunto.core.access.model import Tenant
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.projects.model import ProjectId
from spunto.core.workers.model import DockerState, Worker, WorkerId, WorkerState

_IS_CURRENT = (workers.c.id == bindparam("of_id")) & (workers.c.version == bindparam("of_version"))
_IN_TENANT = workers.c.org_id == bindparam("org_id")
_ADD = insert(workers)
_FIND = select(workers).where(workers.c.id == bindparam("worker_id"))
_GET = _FIND.where(_IN_TENANT)
_LIST = paged(
    select(workers.c.id, workers.c.version).where(_IN_TENANT, workers.c.project_id == bindparam("project_id")),
    workers.c.id,
)
_BY_IDS = select(workers).where(is_in(workers.c.id, bindparam("ids", type_=IdList)))
_UPDATE = update(workers).where(_IS_CURRENT)
_REMOVE = delete(workers).where(_IS_CURRENT)

# A look-up costs a tenth of an enum's constructor, and a list makes a hundred.
_STATES: Mapping[str, WorkerState] = {state.value: state for state in WorkerState}
_DOCKER_STATES: Mapping[str, DockerState] = {state.value: state for state in DockerState}


class KnownWorkers:
    """Workers as last read. A worker of the same version is the same, so a list fetches only what has changed.

    Only committed rows belong in here: a version that is rolled back may come again as something else.
    """

    CAPACITY = 4096

    def __init__(self) -> None:
        self._by_id: dict[str, Worker] = {}

    def get(self, worker_id: str, version: int) -> Worker | None:
        worker = self._by_id.get(worker_id)
        return worker if worker is not None and worker.version == version else None

    def add(self, worker: Worker) -> None:
        if len(self._by_id) >= self.CAPACITY:
            self._by_id.clear()
        self._by_id[worker.id] = worker


class SqlWorkerRepository:
    def __init__(self, statements: Statements, known: KnownWorkers) -> None:
        self._statements = statements
        self._known = known

    async def add(self, worker: Worker) -> None:
        await self._statements.change(
            _ADD,
            {
                "id": worker.id,
                "org_id": worker.org_id,
                "project_id": worker.project_id,
                "user_id": worker.user_id,
                "api_key_id": worker.api_key_id,
                "index": worker.index,
                "created_at": worker.created_at,
                "version": worker.version,
                **_changing(worker),
            },
        )

    async def get(self, tenant: Tenant, worker_id: WorkerId) -> Worker:
        row = await first(self._statements, _GET, {"worker_id": worker_id, "org_id": tenant.org_id})
        if row is None:
            raise NotFound("worker_not_found", f"There is no worker {worker_id!r}.", id=worker_id)
        return _worker(row)

    async def find(self, worker_id: WorkerId) -> Worker | None:
        row = await first(self._statements, _FIND, {"worker_id": worker_id})
        return None if row is None else _worker(row)

    async def list(self, tenant: Tenant, project_id: ProjectId, page: PageRequest) -> Page[Worker]:
        rows = await self._statements.all(_LIST, {"org_id": tenant.org_id, "project_id": project_id, **window(page)})
        found = await self._fetched(rows[: page.limit])
        more = len(rows) > page.limit
        return Page(items=found, next_before=rows[page.limit - 1][0] if more else None)

    async def update(self, worker: Worker) -> Worker:
        after = replace(worker, version=worker.version + 1)
        await self._change_current(_UPDATE, worker, version=after.version, **_changing(after))
        return after

    async def remove(self, worker: Worker) -> None:
        await self._change_current(_REMOVE, worker)

    async def _fetched(self, rows: Sequence[AnyRow]) -> Sequence[Worker]:
        """The workers of these ids and versions, or newer; without those that are gone by now."""
        workers_by_id = {worker_id: self._known.get(worker_id, version) for worker_id, version in rows}
        missing = [worker_id for worker_id, worker in workers_by_id.items() if worker is None]
        if missing:
            for row in await self._statements.all(_BY_IDS, {"ids": missing}):
                worker = workers_by_id[row[0]] = _worker(row)
                self._known.add(worker)
        return [worker for worker in workers_by_id.values() if worker is not None]

    async def _change_current(self, statement: Any, worker: Worker, **values: Any) -> None:
        which = {"of_id": worker.id, "of_version": worker.version}
        if await self._statements.change(statement, {**which, **values}) == 0:
            raise StaleVersion("worker", worker.id)


def _changing(worker: Worker) -> dict[str, Any]:
    return {
        "project_version": worker.project_version,
        "name": worker.name,
        "branch": worker.branch,
        "node_id": worker.node_id,
        "state": worker.state.value,
        "state_since": worker.state_since,
        "deadline_at": worker.deadline_at,
        "generation": worker.generation,
        "container_id": worker.container_id,
        "docker_state": worker.docker_state.value,
        "setup": None if worker.setup is None else dict(worker.setup),
        "problem": problem_to_json(worker.problem),
        "last_activity_at": worker.last_activity_at,
        "stopped_at": worker.stopped_at,
    }


def _worker(row: AnyRow) -> Worker:
    (
        worker_id,
        org_id,
        project_id,
        project_version,
        user_id,
        api_key_id,
        index,
        name,
        branch,
        node_id,
        state,
        state_since,
        deadline_at,
        generation,
        container_id,
        docker_state,
        setup,
        problem,
        last_activity_at,
        created_at,
        stopped_at,
        version,
    ) = row
    return Worker(
        id=worker_id,
        org_id=org_id,
        project_id=project_id,
        project_version=project_version,
        user_id=user_id,
        api_key_id=api_key_id,
        index=index,
        name=name,
        branch=branch,
        node_id=node_id,
        state=_STATES[state],
        state_since=state_since,
        deadline_at=deadline_at,
        generation=generation,
        container_id=container_id,
        docker_state=_DOCKER_STATES[docker_state],
        setup=setup,
        problem=problem_from_json(problem),
        last_activity_at=last_activity_at,
        created_at=created_at,
        stopped_at=stopped_at,
        version=version,
    )
