"""What the projects slice needs from storage."""

from collections.abc import Collection, Set
from typing import Protocol

from spunto.core.access.model import OrgId, Tenant
from spunto.core.activity.events import EventFeed
from spunto.core.activity.model import AuditLog
from spunto.core.kernel.idempotency import IdempotencyRepository
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.uow import Transaction
from spunto.core.orgs.ports import OrganizationRepository
from spunto.core.projects.listing import ALL, ProjectFilter
from spunto.core.projects.model import Project, ProjectId, ProjectVersion


class ProjectRepository(Protocol):
    async def add(self, project: Project) -> None:
        """Raises Conflict `project_name_taken` within the organization."""

    async def get(self, tenant: Tenant, project_id: ProjectId) -> Project:
        """Raises NotFound `project_not_found`."""

    async def list(self, tenant: Tenant, page: PageRequest, matching: ProjectFilter = ALL) -> Page[Project]: ...

    async def update(self, project: Project) -> Project:
        """Raises StaleVersion, Conflict `project_name_taken`."""

    async def remove(self, project: Project) -> None:
        """With its versions. Raises StaleVersion, Conflict `project_in_use` while it has workers."""

    async def next_index(self, project_id: ProjectId) -> int:
        """Give the next worker index out, from 1, never one twice; other writers of the project are not disturbed."""

    async def add_version(self, version: ProjectVersion) -> None:
        """Raises StaleVersion where the number is taken."""

    async def get_version(self, tenant: Tenant, project_id: ProjectId, number: int) -> ProjectVersion:
        """Raises NotFound `project_version_not_found`."""

    async def maker_of(self, project_id: str, number: int) -> str | None:
        """Who stands behind that version; None where there is no such version, or nobody knows."""

    async def among(self, org_ids: Collection[OrgId], project_ids: Collection[str]) -> Set[str]:
        """Those of the projects that there are in these organizations."""

    async def list_versions(
        self, tenant: Tenant, project_id: ProjectId, *, limit: int, before: int | None
    ) -> Page[ProjectVersion]:
        """Newest first; the cursor is a number, as text in `next_before`."""


class ProjectsTransaction(Transaction, Protocol):
    @property
    def organizations(self) -> OrganizationRepository: ...
    @property
    def projects(self) -> ProjectRepository: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def events(self) -> EventFeed: ...
    @property
    def idempotency(self) -> IdempotencyRepository: ...
