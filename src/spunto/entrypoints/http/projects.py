"""Projects and their versions over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import NotFound
from spunto.core.projects.model import Environment, Project, ProjectId
from spunto.core.projects.model import ProjectVersion as Version
from spunto.core.projects.service import ProjectService
from spunto.core.routes.desired import Sharing
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import (
    PageQuery,
    asked_page_of,
    items_response,
    last_seen,
    not_a_cursor,
    page_query,
    page_response,
)
from spunto.entrypoints.http.preconditions import precondition, tagged
from spunto.entrypoints.http.project_questions import ProjectIn, ProjectPatchIn, ProjectsQuery
from spunto.entrypoints.http.requests import Nothing, idempotency_key, query, read, read_nothing
from spunto.entrypoints.http.responses import Reply, no_content

MAX_NUMBER: Final = 2**31 - 1


class EnvironmentOut(TypedDict):
    """What a worker is made from."""

    image: str
    env: dict[str, str]
    cpus: float
    memoryBytes: int
    labels: dict[str, str]
    postCreateCommand: str | None
    postStartCommand: str | None
    secrets: list[str]


class ProjectOut(EnvironmentOut):
    """`version` is the newest one of its environment; `createdBy` is the user or the organization's key that changes it
    beside admins. `sharing` is what new workers' ports begin with; all others are their owner's alone.
    `idleTimeoutSeconds` is what they are stopped after when nobody uses them, null for never."""

    id: ProjectId
    orgId: OrgId
    name: str
    description: str
    createdBy: str
    version: int
    tags: list[str]
    metadata: Mapping[str, Any]
    sharing: dict[str, Sharing]
    idleTimeoutSeconds: int | None
    createdAt: datetime
    updatedAt: datetime


class ProjectsOut(TypedDict):
    items: list[ProjectOut]
    nextCursor: str | None


class ProjectVersionOut(EnvironmentOut):
    """One immutable version; `madeBy` is the user or key who asked, `restoredFrom` the version it copies."""

    projectId: ProjectId
    version: int
    createdAt: datetime
    madeBy: str
    restoredFrom: int | None


class ProjectVersionsOut(TypedDict):
    items: list[ProjectVersionOut]
    nextCursor: str | None


def project_out(project: Project) -> ProjectOut:
    return {
        "id": project.id,
        "orgId": project.org_id,
        "name": project.name,
        "description": project.description,
        "createdBy": project.creator_id,
        **environment_out(project.environment),
        "version": project.number,
        "tags": list(project.tags),
        "metadata": project.metadata,
        "sharing": {str(port): how for port, how in sorted(project.sharing.items())},
        "idleTimeoutSeconds": project.idle_timeout_seconds,
        "createdAt": project.created_at,
        "updatedAt": project.updated_at,
    }


def version_out(version: Version) -> ProjectVersionOut:
    return {
        "projectId": version.project_id,
        "version": version.number,
        **environment_out(version.environment),
        "createdAt": version.created_at,
        "madeBy": version.made_by,
        "restoredFrom": version.restored_from,
    }


def environment_out(environment: Environment) -> EnvironmentOut:
    return {
        "image": environment.image,
        "env": dict(environment.env),
        "cpus": environment.cpu_millis / 1000,
        "memoryBytes": environment.memory_bytes,
        "labels": dict(environment.labels),
        "postCreateCommand": environment.post_create_command,
        "postStartCommand": environment.post_start_command,
        "secrets": list(environment.secrets),
    }


def _made(project: Project) -> Reply:
    return Reply(project_out(project), 201, {"Location": f"/api/orgs/{project.org_id}/projects/{project.id}"})


def _restored(project: Project) -> Reply:
    return Reply(project_out(project))


def projects_blueprint(projects: ProjectService) -> Blueprint:
    routes = Blueprint("projects", __name__, url_prefix="/api/orgs/<org_id>/projects")

    @routes.get("")
    @operation("List the projects", query=ProjectsQuery, answers={200: ProjectsOut})
    async def list_all(actor: Actor, org_id: OrgId) -> Response:
        asked = query(ProjectsQuery)
        page = asked_page_of(asked, "prj", order=asked.sort)
        return page_response(await projects.list(actor, org_id, page, asked.matching()), project_out)

    @routes.post("")
    @operation(
        "Create a project",
        body=ProjectIn,
        answers={201: ProjectOut},
        errors=("project_name_taken", "env_too_large", "env_name_reserved", "secret_name_reserved"),
        idempotent=True,
    )
    async def create(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(ProjectIn)
        made = await projects.create(
            actor,
            org_id,
            name=asked.name,
            description=asked.description,
            environment=asked.environment(),
            tags=tuple(asked.tags),
            metadata=asked.metadata,
            sharing=asked.shared(),
            idle_timeout_seconds=asked.idle_timeout_seconds,
            idempotency=await idempotency_key(actor, _made),
        )
        return _made(made).response()

    @routes.get("/<project_id>")
    @operation("Get a project", answers={200: ProjectOut}, tagged=True)
    async def get(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        return tagged(project_out(await projects.get(actor, org_id, project_id)))

    @routes.patch("/<project_id>")
    @operation(
        "Change a project",
        description=(
            "A merge patch: what is absent stays, null goes back to the default. A change of the environment makes a "
            "new version; workers on an older one say so."
        ),
        body=ProjectPatchIn,
        answers={200: ProjectOut},
        errors=(
            "not_owner",
            "project_name_taken",
            "env_too_large",
            "env_name_reserved",
            "secret_name_reserved",
            "stale_version",
        ),
        tagged=True,
    )
    async def update(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        asked = await read(ProjectPatchIn)
        expected = precondition(project_out)
        changed = await projects.update(actor, org_id, project_id, asked.changes(), precondition=expected)
        return tagged(project_out(changed))

    @routes.delete("/<project_id>")
    @operation(
        "Delete a project that has no workers",
        answers={204: None},
        errors=("not_owner", "project_in_use"),
        tagged=True,
    )
    async def delete(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        await projects.delete(actor, org_id, project_id, precondition=precondition(project_out))
        return no_content()

    @routes.get("/<project_id>/versions")
    @operation("List a project's versions", query=PageQuery, answers={200: ProjectVersionsOut})
    async def versions(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        asked = page_query()
        before = None if asked.cursor is None else _number_before(asked.cursor)
        page = await projects.versions(actor, org_id, project_id, limit=asked.limit, before=before)
        return items_response(map(version_out, page.items), next_before=page.next_before)

    @routes.post("/<project_id>/versions/<number>/restore")
    @operation(
        "Make an older version the newest one",
        description="The environment of that version becomes a new version; `7` and `v7` name the same one.",
        body=Nothing,
        answers={200: ProjectOut},
        errors=("not_owner", "project_version_not_found", "stale_version"),
        idempotent=True,
    )
    async def restore(actor: Actor, org_id: OrgId, project_id: ProjectId, number: str) -> Response:
        await read_nothing()
        restored = await projects.restore(
            actor, org_id, project_id, _number(number), idempotency=await idempotency_key(actor, _restored)
        )
        return _restored(restored).response()

    return routes


def _number_before(cursor: str) -> int:
    try:
        return _number(last_seen(cursor))
    except NotFound as error:
        raise not_a_cursor() from error


def _number(text: str) -> int:
    """A version's number, or a leading v and the number. Raises NotFound for what can't be one."""
    digits = text.removeprefix("v")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and int(digits) <= MAX_NUMBER):
        raise NotFound("project_version_not_found", f"There is no version {text!r}.", number=text)
    return int(digits)
