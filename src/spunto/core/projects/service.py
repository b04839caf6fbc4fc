"""Use cases of projects."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from spunto.core.access.model import Actor, ApiKeyId, OrgId, Tenant, UserId
from spunto.core.access.policy import Action
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.marks import require_marks
from spunto.core.kernel.names import require_name
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.preconditions import Precondition, require
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.projects.idle_timeout import require_idle_timeout
from spunto.core.projects.listing import ALL, ProjectFilter
from spunto.core.projects.model import Environment, Project, ProjectId, ProjectVersion
from spunto.core.projects.ports import ProjectsTransaction
from spunto.core.projects.variables import require_env
from spunto.core.routes.desired import Sharing
from spunto.core.routes.hosts import require_port
from spunto.core.secrets.names import require_name as require_secret_name

# What a change of makes no new version.
_BESIDE: Final = frozenset({"name", "description", "tags", "metadata", "sharing", "idle_timeout_seconds"})


class ProjectService:
    def __init__(self, uow: UnitOfWork[ProjectsTransaction], *, auditor: Auditor, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    @retried
    async def create(
        self,
        actor: Actor,
        org_id: OrgId,
        *,
        name: str,
        environment: Environment,
        description: str = "",
        tags: tuple[str, ...] = (),
        metadata: Mapping[str, Any] | None = None,
        sharing: Mapping[int, Sharing] | None = None,
        idle_timeout_seconds: int | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Project:
        """Make a project with its version 1.

        Raises Conflict `project_name_taken`, Invalid `name_invalid`, `tags_invalid`, `metadata_invalid`,
        `env_too_large`, `secret_name_reserved`, `idle_timeout_invalid`.
        """
        tenant = actor.require(Action.PROJECT_CREATE, org_id=org_id)
        require_name(name)
        require_marks(tags, metadata)
        require_idle_timeout(idle_timeout_seconds)
        _require_sharing(sharing)
        _require_sane(environment)
        now = self._clock.now()
        async with self._uow() as tx:
            once = Once(tx.idempotency, f"{org_id}/projects", idempotency, now=now)
            made = await once.made()
            if made is not None:
                return await tx.projects.get(tenant, ProjectId(made))
            await tx.organizations.hold(tenant)
            project = Project(
                id=ProjectId(self._ids.new("prj")),
                org_id=org_id,
                name=name,
                creator_id=actor.owner_id,
                description=description,
                number=1,
                environment=environment,
                created_at=now,
                updated_at=now,
                tags=tags,
                metadata=dict(metadata or {}),
                sharing=dict(sharing or {}),
                idle_timeout_seconds=idle_timeout_seconds,
            )
            await tx.projects.add(project)
            await tx.projects.add_version(_version_of(project, actor))
            await self._auditor.record(tx, tenant, Action.PROJECT_CREATE, project.id, name=project.name)
            await once.makes(project.id, project)
            await tx.commit()
        return project

    async def get(self, actor: Actor, org_id: OrgId, project_id: ProjectId) -> Project:
        tenant = actor.require(Action.PROJECT_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.projects.get(tenant, project_id)

    async def list(
        self, actor: Actor, org_id: OrgId, page: PageRequest, matching: ProjectFilter = ALL
    ) -> Page[Project]:
        tenant = actor.require(Action.PROJECT_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.projects.list(tenant, page, matching)

    @retried
    async def update(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId,
        changes: Mapping[str, Any],
        *,
        precondition: Precondition | None = None,
    ) -> Project:
        """Apply changes by field name of Project and Environment; a change of the environment makes a new version.

        A change of the environment's mappings is merged into them: None removes a name, and None for the whole empties
        it. Raises Conflict `project_name_taken`, Invalid as `create` does, PreconditionFailed.
        """
        tenant = actor.require(Action.PROJECT_UPDATE, org_id=org_id)
        now = self._clock.now()
        async with self._uow() as tx:
            before = await _to_edit(tx, tenant, project_id)
            require(precondition, before)
            if "name" in changes:
                require_name(changes["name"])
            require_marks(changes.get("tags"), changes.get("metadata"))
            require_idle_timeout(changes.get("idle_timeout_seconds"))
            _require_sharing(changes.get("sharing"))
            beside = {key: changes[key] for key in changes.keys() & _BESIDE}
            of_environment = {
                key: _merged(getattr(before.environment, key), changes[key]) for key in changes.keys() - _BESIDE
            }
            environment = replace(before.environment, **of_environment)
            _require_sane(environment)
            after = replace(before, **beside, updated_at=now).with_environment(environment, at=now)
            return await self._save(tx, actor, before, after, restored_from=None)

    async def versions(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId, *, limit: int, before: int | None
    ) -> Page[ProjectVersion]:
        tenant = actor.require(Action.PROJECT_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            await tx.projects.get(tenant, project_id)
            return await tx.projects.list_versions(tenant, project_id, limit=limit, before=before)

    @retried
    async def restore(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId,
        number: int,
        *,
        idempotency: IdempotencyKey | None = None,
    ) -> Project:
        """Make the environment of an earlier version the newest one, as a new version."""
        tenant = actor.require(Action.PROJECT_UPDATE, org_id=org_id)
        now, scope = self._clock.now(), f"{project_id}/restores"
        async with self._uow() as tx:
            before = await _to_edit(tx, tenant, project_id)
            once = Once(tx.idempotency, scope, idempotency, now=now)
            if await once.made() is not None:
                return before
            earlier = await tx.projects.get_version(tenant, project_id, number)
            after = before.with_environment(earlier.environment, at=now)
            return await self._save(tx, actor, before, after, restored_from=number, once=once)

    @retried
    async def delete(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId, *, precondition: Precondition | None = None
    ) -> None:
        """Raises Conflict `project_in_use` while it has workers, PreconditionFailed."""
        tenant = actor.require(Action.PROJECT_DELETE, org_id=org_id)
        async with self._uow() as tx:
            project = await _to_edit(tx, tenant, project_id)
            require(precondition, project)
            await tx.projects.remove(project)
            await self._auditor.record(tx, tenant, Action.PROJECT_DELETE, project_id, name=project.name)
            await tx.commit()

    async def _save(
        self,
        tx: ProjectsTransaction,
        actor: Actor,
        before: Project,
        after: Project,
        *,
        restored_from: int | None,
        once: Once | None = None,
    ) -> Project:
        tenant = actor.require(Action.PROJECT_UPDATE, org_id=before.org_id)
        saved = await tx.projects.update(after)
        if after.number != before.number:
            await tx.projects.add_version(_version_of(after, actor, restored_from=restored_from))
        detail = {"name": after.name, "version": str(after.number)}
        await self._auditor.record(tx, tenant, Action.PROJECT_UPDATE, after.id, **detail)
        if once is not None:
            await once.makes(saved.id, saved)
        await tx.commit()
        return saved


async def _to_edit(tx: ProjectsTransaction, tenant: Tenant, project_id: ProjectId) -> Project:
    """Raises Forbidden `not_owner` for a member's look at what somebody else made: what runs in its workers could read
    what they are given."""
    project = await tx.projects.get(tenant, project_id)
    tenant.require_own_or_admin(user_id=UserId(project.creator_id), api_key_id=ApiKeyId(project.creator_id))
    return project


def _merged(present: Any, change: Any) -> Any:
    if not isinstance(present, Mapping):
        return change
    both = {} if change is None else {**present, **change}
    return {name: value for name, value in both.items() if value is not None}


def _require_sharing(sharing: Mapping[int, Sharing] | None) -> None:
    """A project's editors must not publish ports of other people's workers.

    Raises NotFound `port_not_found`, Invalid `sharing_invalid`.
    """
    for port, level in (sharing or {}).items():
        require_port(port)
        if level is Sharing.PUBLIC:
            raise Invalid("sharing_invalid", "A worker's owner makes its ports public, no project does.")


def _require_sane(environment: Environment) -> None:
    for name in environment.secrets:
        require_secret_name(name)
    require_env(environment.env)


def _version_of(project: Project, actor: Actor, *, restored_from: int | None = None) -> ProjectVersion:
    return ProjectVersion(
        project_id=project.id,
        org_id=project.org_id,
        number=project.number,
        environment=project.environment,
        created_at=project.updated_at,
        made_by=actor.subject_id,
        owner_id=actor.owner_id,
        restored_from=restored_from,
    )
