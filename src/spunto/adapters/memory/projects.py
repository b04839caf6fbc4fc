"""Projects and their versions in memory."""

from collections.abc import Callable, Collection, Set
from dataclasses import replace

from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.rows import Draft, Table, owned
from spunto.core.access.model import OrgId, Tenant
from spunto.core.kernel.errors import Conflict, NotFound, StaleVersion
from spunto.core.kernel.matching import fits
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.projects.listing import ALL, ProjectFilter
from spunto.core.projects.model import Project, ProjectId, ProjectVersion
from spunto.core.workers.model import Worker, WorkerId


class MemoryProjects:
    def __init__(
        self,
        projects: Table[ProjectId, Project],
        versions: Draft[tuple[ProjectId, int], ProjectVersion],
        indexes: Draft[ProjectId, int],
        names: Draft[tuple[str, ...], str],
        workers: Draft[WorkerId, Worker],
        at_commit: Callable[[Callable[[], None]], None],
    ) -> None:
        self._projects = projects
        self._versions = versions
        self._indexes = indexes
        self._names = names
        self._workers = workers
        self._at_commit = at_commit

    async def add(self, project: Project) -> None:
        self._claim_name(project)
        self._projects.put(project.id, project)
        self._indexes.put(project.id, project.workers_made)

    async def get(self, tenant: Tenant, project_id: ProjectId) -> Project:
        return self._counted(owned(self._projects, tenant, project_id))

    async def list(self, tenant: Tenant, page: PageRequest, matching: ProjectFilter = ALL) -> Page[Project]:
        own = (
            self._counted(project)
            for project in self._projects.values()
            if project.org_id == tenant.org_id and fits(project, matching)
        )
        return page_of(own, page, id_of=lambda project: project.id)

    async def update(self, project: Project) -> Project:
        before = self._projects.current(project)
        if before.name != project.name:
            self._claim_name(project)
            self._names.drop(_name_key(before))
        return self._projects.update(project)

    async def remove(self, project: Project) -> None:
        before = self._projects.current(project)
        self._refuse_while_used(project)
        self._at_commit(lambda: self._refuse_while_used(project))
        for version in [version for version in self._versions.values() if version.project_id == project.id]:
            self._versions.drop((project.id, version.number))
        self._names.drop(_name_key(before))
        self._indexes.drop(project.id)
        self._projects.drop(project.id)

    async def next_index(self, project_id: ProjectId) -> int:
        made = self._indexes.get(project_id)
        if made is None:
            raise StaleVersion("project", project_id)
        self._indexes.put(project_id, made + 1)
        return made + 1

    async def add_version(self, version: ProjectVersion) -> None:
        key = (version.project_id, version.number)
        if self._versions.get(key) is not None:
            raise StaleVersion("project", version.project_id)
        self._versions.put(key, version)

    async def get_version(self, tenant: Tenant, project_id: ProjectId, number: int) -> ProjectVersion:
        version = self._versions.get((project_id, number))
        if version is None or version.org_id != tenant.org_id:
            raise NotFound("project_version_not_found", f"The project has no version {number}.", id=project_id)
        return version

    async def maker_of(self, project_id: str, number: int) -> str | None:
        version = self._versions.get((ProjectId(project_id), number))
        return (version.owner_id or None) if version is not None else None

    async def among(self, org_ids: Collection[OrgId], project_ids: Collection[str]) -> Set[str]:
        return {each.id for each in self._projects.values() if each.id in project_ids and each.org_id in org_ids}

    async def list_versions(
        self, tenant: Tenant, project_id: ProjectId, *, limit: int, before: int | None
    ) -> Page[ProjectVersion]:
        own = [
            version
            for version in self._versions.values()
            if version.project_id == project_id
            and version.org_id == tenant.org_id
            and (before is None or version.number < before)
        ]
        newest = sorted(own, key=lambda version: version.number, reverse=True)
        items = newest[:limit]
        return Page(items=items, next_before=str(items[-1].number) if len(newest) > limit else None)

    def _refuse_while_used(self, project: Project) -> None:
        if any(worker.project_id == project.id for worker in self._workers.values()):
            raise Conflict("project_in_use", "The project has workers; destroy them first.", id=project.id)

    def _counted(self, project: Project) -> Project:
        return replace(project, workers_made=self._indexes.get(project.id) or 0)

    def _claim_name(self, project: Project) -> None:
        if self._names.get(_name_key(project)) is not None:
            raise Conflict("project_name_taken", f"The organization has a project named {project.name!r} already.")
        self._names.put(_name_key(project), project.id)


def _name_key(project: Project) -> tuple[str, ...]:
    return "project", project.org_id, project.name
