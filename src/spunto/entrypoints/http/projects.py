"""Projects and their versions over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import NotFound
from spunto.core.projects.model import DEFAULT_CPU_MILLIS, DEFAULT_MEMORY_BYTES, Environment, Project, ProjectId
from spunto.core.projects.model import ProjectVersion as Version
from spunto.core.projects.service import ProjectService
from spunto.core.secrets.names import MAX_NAME_CHARACTERS, PATTERN
from spunto.core.specs.image import MAX_CHARACTERS, why_no_image
from spunto.entrypoints.http.errors import invalid_fields
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import (
    PageQuery,
    asked_page,
    items_response,
    last_seen,
    not_a_cursor,
    page_query,
    page_response,
)
from spunto.entrypoints.http.requests import In, Name, Nothing, idempotency_key, read, read_nothing
from spunto.entrypoints.http.responses import Reply, json_response, no_content

MAX_NUMBER: Final = 2**31 - 1


def _image_name(value: str) -> str:
    reason = why_no_image(value)
    if reason is not None:
        raise PydanticCustomError("image_name", "{what}", {"what": f"The image {value[:200]!r} {reason}."})
    return value


EnvName = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
LabelName = Annotated[str, StringConstraints(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
LabelValue = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
Image = Annotated[
    str,
    StringConstraints(max_length=MAX_CHARACTERS),
    AfterValidator(_image_name),
    Field(json_schema_extra={"pattern": r"^[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]*$"}),
]
Description = Annotated[str, StringConstraints(max_length=2000)]
Command = Annotated[str, StringConstraints(min_length=1, max_length=16 * 1024)]
Cpus = Annotated[float, Field(ge=0.01, le=4096)]
MemoryBytes = Annotated[int, Field(ge=16 * 1024**2, le=2**50)]
Env = Annotated[dict[EnvName, str], Field(max_length=256)]
EnvPatch = Annotated[dict[EnvName, str | None], Field(max_length=256)]
Labels = Annotated[dict[LabelName, LabelValue], Field(max_length=64)]
SecretName = Annotated[str, StringConstraints(max_length=MAX_NAME_CHARACTERS, pattern=PATTERN)]
SecretNames = Annotated[list[SecretName], Field(max_length=64)]
LabelsPatch = Annotated[dict[LabelName, LabelValue | None], Field(max_length=64)]


class ProjectIn(In):
    name: Name
    description: Description = ""
    image: Image
    env: Env = Field(default_factory=dict)
    cpus: Cpus = DEFAULT_CPU_MILLIS / 1000
    memory_bytes: MemoryBytes = DEFAULT_MEMORY_BYTES
    labels: Labels = Field(default_factory=dict)
    post_create_command: Command | None = None
    post_start_command: Command | None = None
    secrets: SecretNames = Field(default_factory=list)

    def environment(self) -> Environment:
        return Environment(
            image=self.image,
            env=self.env,
            cpu_millis=_millis(self.cpus),
            memory_bytes=self.memory_bytes,
            labels=self.labels,
            post_create_command=self.post_create_command,
            post_start_command=self.post_start_command,
            secrets=tuple(dict.fromkeys(self.secrets)),
        )


class ProjectPatchIn(In):
    """A merge patch: what is absent stays, null goes back to what a project has that never said it."""

    name: Name | None = None
    description: Description | None = None
    image: Image | None = None
    env: EnvPatch | None = None
    cpus: Cpus | None = None
    memory_bytes: MemoryBytes | None = None
    labels: LabelsPatch | None = None
    post_create_command: Command | None = None
    post_start_command: Command | None = None
    secrets: SecretNames | None = None

    def changes(self) -> dict[str, Any]:
        """By field of Project and Environment. Raises Invalid for a null that nothing can stand for."""
        given = {field: getattr(self, field) for field in self.model_fields_set}
        nulls = [field for field in ("name", "image") if field in given and given[field] is None]
        if nulls:
            raise invalid_fields([{"pointer": f"/{field}", "message": "Can't be cleared"} for field in nulls])
        given = {field: CLEARED.get(field) if value is None else value for field, value in given.items()}
        if "secrets" in given:
            given["secrets"] = tuple(dict.fromkeys(given["secrets"]))
        if "cpus" in given:
            given["cpu_millis"] = _millis(given.pop("cpus"))
        return given


CLEARED: Final[Mapping[str, Any]] = {
    "description": "",
    "cpus": DEFAULT_CPU_MILLIS / 1000,
    "memory_bytes": DEFAULT_MEMORY_BYTES,
    "secrets": (),
}


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
    beside admins."""

    id: ProjectId
    orgId: OrgId
    name: str
    description: str
    createdBy: str
    version: int
    state: Literal["ready"]
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
        "state": "ready",
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
    @operation("List the projects", query=PageQuery, answers={200: ProjectsOut})
    async def list_all(actor: Actor, org_id: OrgId) -> Response:
        return page_response(await projects.list(actor, org_id, asked_page("prj")), project_out)

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
            idempotency=await idempotency_key(actor, _made),
        )
        return _made(made).response()

    @routes.get("/<project_id>")
    @operation("Get a project", answers={200: ProjectOut})
    async def get(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        return json_response(project_out(await projects.get(actor, org_id, project_id)))

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
    )
    async def update(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        asked = await read(ProjectPatchIn)
        return json_response(project_out(await projects.update(actor, org_id, project_id, asked.changes())))

    @routes.delete("/<project_id>")
    @operation("Delete a project that has no workers", answers={204: None}, errors=("not_owner", "project_in_use"))
    async def delete(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        await projects.delete(actor, org_id, project_id)
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


def _millis(cpus: float) -> int:
    return round(cpus * 1000)


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
