"""Projects and their versions in SQL."""

from collections.abc import Collection, Mapping, Set
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Select, bindparam, exists, insert, select, update

from spunto.adapters.sql.documents import sharing_from_json, sharing_to_json
from spunto.adapters.sql.narrowing import asked, narrowed, tags_from_text, tags_to_text
from spunto.adapters.sql.paging import page_of, paged, paged_by, window
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.projects import project_versions, projects
from spunto.adapters.sql.tables.workers import workers
from spunto.adapters.sql.types import IdList, is_in
from spunto.adapters.sql.versioned import Versioned
from spunto.core.access.model import OrgId, Tenant
from spunto.core.kernel.errors import Conflict, NotFound, StaleVersion
from spunto.core.kernel.matching import said_by
from spunto.core.kernel.paging import Order, Page, PageRequest
from spunto.core.projects.listing import ALL, ProjectFilter
from spunto.core.projects.model import Environment, Project, ProjectId, ProjectVersion

_IN_USE = select(exists().where(workers.c.project_id == bindparam("project_id")))
_NEXT_INDEX = (
    update(projects)
    .where(projects.c.id == bindparam("of_id"))
    .values(workers_made=projects.c.workers_made + 1)
    .returning(projects.c.workers_made)
)
_ADD_VERSION = insert(project_versions)
_VERSIONS = select(project_versions).where(
    project_versions.c.project_id == bindparam("project_id"), project_versions.c.org_id == bindparam("org_id")
)
_GET_VERSION = _VERSIONS.where(project_versions.c.number == bindparam("number", type_=BigInteger))
_MAKER = select(project_versions.c.owner_id).where(
    project_versions.c.project_id == bindparam("project_id"),
    project_versions.c.number == bindparam("number", type_=BigInteger),
)
_AMONG = select(projects.c.id).where(
    is_in(projects.c.org_id, bindparam("org_ids", type_=IdList)),
    is_in(projects.c.id, bindparam("project_ids", type_=IdList)),
)
_LIST_VERSIONS = paged(_VERSIONS, project_versions.c.number)
_NEWEST_NUMBER = 2**63 - 1


@lru_cache(maxsize=256)
def _listing(said: frozenset[str], order: Order, dialect: str) -> Select[Any]:
    found = select(projects).where(projects.c.org_id == bindparam("org_id"))
    return paged_by(narrowed(found, projects, said, dialect), projects, order, dialect)


class SqlProjectRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, project: Project) -> None:
        await _PROJECTS.add(self._statements, project)

    async def get(self, tenant: Tenant, project_id: ProjectId) -> Project:
        return await _PROJECTS.get(self._statements, tenant, project_id)

    async def list(self, tenant: Tenant, page: PageRequest, matching: ProjectFilter = ALL) -> Page[Project]:
        said = asked(said_by(matching))
        statement = _listing(frozenset(said), page.order, self._statements.dialect)
        rows = await self._statements.all(statement, {"org_id": tenant.org_id, **said, **window(page)})
        return page_of(rows, page.limit, item_of=_project, key_of=page.order.place_of)

    async def update(self, project: Project) -> Project:
        return await _PROJECTS.update(self._statements, project)

    async def remove(self, project: Project) -> None:
        # A worker that is added after this look breaks the foreign key, which starts the use case again.
        row = await first(self._statements, _IN_USE, {"project_id": project.id})
        if row is not None and row[0]:
            raise Conflict("project_in_use", "The project has workers; destroy them first.", id=project.id)
        await _PROJECTS.remove(self._statements, project)

    async def next_index(self, project_id: ProjectId) -> int:
        row = await first(self._statements, _NEXT_INDEX, {"of_id": project_id})
        if row is None:
            raise StaleVersion("project", project_id)
        return int(row[0])

    async def add_version(self, version: ProjectVersion) -> None:
        await self._statements.change(
            _ADD_VERSION,
            {
                "project_id": version.project_id,
                "org_id": version.org_id,
                "number": version.number,
                "environment": _environment_to_json(version.environment),
                "created_at": version.created_at,
                "made_by": version.made_by,
                "restored_from": version.restored_from,
                "owner_id": version.owner_id,
            },
        )

    async def get_version(self, tenant: Tenant, project_id: ProjectId, number: int) -> ProjectVersion:
        row = await first(
            self._statements, _GET_VERSION, {"project_id": project_id, "org_id": tenant.org_id, "number": number}
        )
        if row is None:
            raise NotFound("project_version_not_found", f"The project has no version {number}.", id=project_id)
        return _project_version(row)

    async def maker_of(self, project_id: str, number: int) -> str | None:
        row = await first(self._statements, _MAKER, {"project_id": project_id, "number": number})
        return (row[0] or None) if row is not None else None

    async def among(self, org_ids: Collection[OrgId], project_ids: Collection[str]) -> Set[str]:
        among = {"org_ids": list(org_ids), "project_ids": list(project_ids)}
        return {row[0] for row in await self._statements.all(_AMONG, among)}

    async def list_versions(
        self, tenant: Tenant, project_id: ProjectId, *, limit: int, before: int | None
    ) -> Page[ProjectVersion]:
        rows = await self._statements.all(
            _LIST_VERSIONS,
            {
                "project_id": project_id,
                "org_id": tenant.org_id,
                "before": _NEWEST_NUMBER if before is None else before,
                "limit": limit + 1,
            },
        )
        return page_of(rows, limit, item_of=_project_version, key_of=lambda version: str(version.number))


def _columns(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "org_id": project.org_id,
        "name": project.name,
        "description": project.description,
        "number": project.number,
        "environment": _environment_to_json(project.environment),
        "workers_made": project.workers_made,
        "created_at": project.created_at,
        "updated_at": project.updated_at,
        "version": project.version,
        "creator_id": project.creator_id,
        "tags": tags_to_text(project.tags),
        "metadata": dict(project.metadata),
        "sharing": sharing_to_json(project.sharing),
        "idle_timeout_seconds": project.idle_timeout_seconds,
    }


def _project(row: AnyRow) -> Project:
    (
        project_id,
        org_id,
        name,
        description,
        number,
        environment,
        workers_made,
        created_at,
        updated_at,
        version,
        creator,
        tags,
        metadata,
        sharing,
        idle_timeout_seconds,
    ) = row
    return Project(
        id=project_id,
        org_id=org_id,
        name=name,
        description=description,
        number=number,
        environment=_environment_from_json(environment),
        workers_made=workers_made,
        created_at=created_at,
        updated_at=updated_at,
        version=version,
        creator_id=creator,
        tags=tags_from_text(tags),
        metadata=metadata,
        sharing=sharing_from_json(sharing),
        idle_timeout_seconds=idle_timeout_seconds,
    )


def _project_version(row: AnyRow) -> ProjectVersion:
    project_id, org_id, number, environment, created_at, made_by, restored_from, owner_id = row
    return ProjectVersion(
        project_id=project_id,
        org_id=org_id,
        number=number,
        environment=_environment_from_json(environment),
        created_at=created_at,
        made_by=made_by,
        restored_from=restored_from,
        owner_id=owner_id,
    )


def _environment_to_json(environment: Environment) -> dict[str, Any]:
    return {
        "image": environment.image,
        "env": dict(environment.env),
        "cpuMillis": environment.cpu_millis,
        "memoryBytes": environment.memory_bytes,
        "labels": dict(environment.labels),
        "postCreateCommand": environment.post_create_command,
        "postStartCommand": environment.post_start_command,
        "secrets": list(environment.secrets),
    }


def _environment_from_json(body: Mapping[str, Any]) -> Environment:
    return Environment(
        image=body["image"],
        env=body["env"],
        cpu_millis=body["cpuMillis"],
        memory_bytes=body["memoryBytes"],
        labels=body["labels"],
        post_create_command=body["postCreateCommand"],
        post_start_command=body["postStartCommand"],
        secrets=tuple(body.get("secrets", ())),
    )


# The count of workers goes up by itself, between one version and the next.
_PROJECTS = Versioned(
    projects, kind="project", read=_project, write=_columns, fixed=["org_id", "creator_id", "workers_made"]
)
