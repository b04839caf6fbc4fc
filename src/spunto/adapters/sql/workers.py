"""Workers in SQL."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, select, type_coerce
from sqlalchemy.types import NullType

from spunto.adapters.sql.documents import problem_from_json, problem_to_json
from spunto.adapters.sql.narrowing import asked, narrowed, tags_from_text, tags_to_text
from spunto.adapters.sql.paging import paged_by, window
from spunto.adapters.sql.statements import AnyRow, Statements
from spunto.adapters.sql.tables.nodes import nodes
from spunto.adapters.sql.tables.projects import projects
from spunto.adapters.sql.tables.workers import workers
from spunto.adapters.sql.types import IdList, is_in
from spunto.adapters.sql.versioned import Versioned
from spunto.adapters.sql.written import KEPT
from spunto.core.access.model import Tenant
from spunto.core.kernel.matching import said_by
from spunto.core.kernel.paging import Order, Page, PageRequest
from spunto.core.projects.model import ProjectId
from spunto.core.specs.worker import read, write
from spunto.core.workers.listing import ALL, Listed, WorkerFilter
from spunto.core.workers.model import Activity, DockerState, WayBack, Worker, WorkerId, WorkerState

_IN_TENANT = workers.c.org_id == bindparam("org_id")


@lru_cache(maxsize=256)
def _listing(said: frozenset[str], order: Order, dialect: str) -> Select[Any]:
    """The list narrowed by those fields; each way to ask becomes one statement, which the driver keeps."""
    # As the driver has it: making a bool of it would take every row apart, and most are as they were.
    connected = type_coerce(nodes.c.connected, NullType())
    found = select(workers.c.id, workers.c.version, connected, projects.c.number).execution_options(**{KEPT: True})
    found = found.join(projects, projects.c.id == workers.c.project_id)
    found = found.outerjoin(nodes, nodes.c.id == workers.c.node_id).where(_IN_TENANT)
    if order.is_by_name:
        found = found.add_columns(workers.c.name)
    return paged_by(narrowed(found, workers, said, dialect), workers, order, dialect)


def asked_of(project_id: ProjectId | None, matching: WorkerFilter) -> dict[str, Any]:
    said = dict(said_by(matching))
    if project_id is not None:
        said["project_id"] = project_id
    return asked(said)


_BY_IDS = select(workers).where(is_in(workers.c.id, bindparam("ids", type_=IdList)))

# A look-up costs a tenth of an enum's constructor, and a list makes a hundred.
_STATES: Mapping[str, WorkerState] = {state.value: state for state in WorkerState}
_ACTIVITIES: Mapping[str, Activity] = {each.value: each for each in Activity}
_DOCKER_STATES: Mapping[str, DockerState] = {state.value: state for state in DockerState}


class KnownWorkers:
    """Workers as last read. A worker of the same version is the same, so a list fetches only what has changed; and a
    page of the same rows is the same page, also as an object.

    Only committed rows belong in here: a version that is rolled back may come again as something else.
    """

    CAPACITY = 4096
    PAGES = 256

    def __init__(self) -> None:
        self._by_id: dict[str, Worker] = {}
        self._pages: dict[Hashable, tuple[Sequence[AnyRow], Page[Listed]]] = {}

    def get(self, worker_id: str, version: int) -> Worker | None:
        worker = self._by_id.get(worker_id)
        return worker if worker is not None and worker.version == version else None

    def add(self, worker: Worker) -> None:
        if len(self._by_id) >= self.CAPACITY:
            self._by_id.clear()
        self._by_id[worker.id] = worker

    def page(self, asked: Hashable, rows: Sequence[AnyRow]) -> Page[Listed] | None:
        """The page that was made of these rows, when the same was asked before."""
        known = self._pages.get(asked)
        return known[1] if known is not None and known[0] == rows else None

    def add_page(self, asked: Hashable, rows: Sequence[AnyRow], page: Page[Listed]) -> None:
        """Kept only where it shows what the rows name; between the two statements some may have changed or gone."""
        named = [(row[0], row[1]) for row in (rows if page.next_before is None else rows[:-1])]
        if named == [(each.worker.id, each.worker.version) for each in page.items]:
            if len(self._pages) >= self.PAGES:
                self._pages.clear()
            self._pages[asked] = (rows, page)


class SqlWorkerRepository:
    def __init__(self, statements: Statements, known: KnownWorkers) -> None:
        self._statements = statements
        self._known = known

    async def add(self, worker: Worker) -> None:
        await _WORKERS.add(self._statements, worker)

    async def get(self, tenant: Tenant, worker_id: WorkerId) -> Worker:
        return await _WORKERS.get(self._statements, tenant, worker_id)

    async def find(self, worker_id: WorkerId) -> Worker | None:
        return await _WORKERS.find(self._statements, worker_id)

    async def list(
        self, tenant: Tenant, project_id: ProjectId | None, page: PageRequest, matching: WorkerFilter = ALL
    ) -> Page[Listed]:
        said = asked_of(project_id, matching)
        statement = _listing(frozenset(said), page.order, self._statements.dialect)
        parameters = {"org_id": tenant.org_id, **said, **window(page)}
        rows = await self._statements.all(statement, parameters)
        asked_for = (statement, *parameters.values())
        known = self._known.page(asked_for, rows)
        if known is not None:
            return known
        found = await self._fetched(rows[: page.limit])
        more = len(rows) > page.limit
        # As it stood when the page was cut: what was fetched may have another name by now.
        made = Page(items=found, next_before=_place(rows[page.limit - 1]) if more else None)
        self._known.add_page(asked_for, rows, made)
        return made

    async def of_ids(self, worker_ids: Collection[str]) -> Sequence[Worker]:
        return [worker_of(row) for row in await self._statements.all(_BY_IDS, {"ids": list(worker_ids)})]

    async def update(self, worker: Worker) -> Worker:
        return await _WORKERS.update(self._statements, worker)

    async def remove(self, worker: Worker) -> None:
        await _WORKERS.remove(self._statements, worker)

    async def _fetched(self, rows: Sequence[AnyRow]) -> Sequence[Listed]:
        """The workers of these ids and versions, or newer; without those that are gone by now."""
        found = {worker_id: self._known.get(worker_id, version) for worker_id, version, *_ in rows}
        missing = [worker_id for worker_id, worker in found.items() if worker is None]
        if missing:
            for row in await self._statements.all(_BY_IDS, {"ids": missing}):
                fetched = found[row[0]] = worker_of(row)
                self._known.add(fetched)
        return [
            Listed(worker, bool(connected), number)
            for worker_id, _, connected, number, *_ in rows
            if (worker := found[worker_id]) is not None
        ]


def _place(row: AnyRow) -> str:
    """As `Order.place_of` has it, of a row of the list."""
    worker_id, _, _, _, *name = row
    return " ".join([worker_id, *name])


def columns_of(worker: Worker) -> dict[str, Any]:
    return {
        "id": worker.id,
        "org_id": worker.org_id,
        "project_id": worker.project_id,
        "user_id": worker.user_id,
        "api_key_id": worker.api_key_id,
        "index": worker.index,
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
        "created_at": worker.created_at,
        "stopped_at": worker.stopped_at,
        "version": worker.version,
        "env": dict(worker.env),
        "granted": " ".join(worker.granted),
        "way_back": None if worker.way_back is None else _way_back_to_json(worker.way_back),
        "tags": tags_to_text(worker.tags),
        "metadata": dict(worker.metadata),
        "last_activity": worker.last_activity.value,
        "idle_timeout_seconds": worker.idle_timeout_seconds,
        "kept_until": worker.kept_until,
        "stop_reason": worker.stop_reason,
    }


def worker_of(row: AnyRow) -> Worker:
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
        env,
        granted,
        way_back,
        tags,
        metadata,
        last_activity,
        idle_timeout_seconds,
        kept_until,
        stop_reason,
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
        env=env,
        granted=tuple(granted.split()),
        way_back=None if way_back is None else _way_back(way_back),
        tags=tags_from_text(tags),
        metadata=metadata,
        last_activity=_ACTIVITIES[last_activity],
        idle_timeout_seconds=idle_timeout_seconds,
        kept_until=kept_until,
        stop_reason=stop_reason,
    )


def _way_back_to_json(way_back: WayBack) -> dict[str, Any]:
    return {
        "spec": write(way_back.spec),
        "projectVersion": way_back.project_version,
        "granted": list(way_back.granted),
    }


def _way_back(body: Mapping[str, Any]) -> WayBack:
    return WayBack(spec=read(body["spec"]), project_version=body["projectVersion"], granted=tuple(body["granted"]))


_WORKERS = Versioned(
    workers,
    kind="worker",
    read=worker_of,
    write=columns_of,
    fixed=["org_id", "project_id", "user_id", "api_key_id", "index"],
)
