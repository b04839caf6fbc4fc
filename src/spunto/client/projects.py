"""Projects, for the client."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from spunto.client.api import Api, Page
from spunto.client.wire import WireModel


class ProjectSettings(WireModel):
    """What a worker is made from."""

    image: str
    env: Mapping[str, str] = Field(default_factory=dict)
    cpus: float | None = None
    memory_bytes: int | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    post_create_command: str | None = None
    post_start_command: str | None = None
    secrets: tuple[str, ...] = ()


class Project(ProjectSettings):
    id: str
    org_id: str
    name: str
    description: str = ""
    created_by: str = ""
    version: int
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = Field(default_factory=dict)
    sharing: Mapping[str, str] = Field(default_factory=dict)
    idle_timeout_seconds: int | None = None
    created_at: datetime
    updated_at: datetime | None = None


class ProjectVersion(ProjectSettings):
    """One immutable version of a project; a restored one names the version that it copies."""

    project_id: str
    version: int
    created_at: datetime
    made_by: str | None = None
    restored_from: int | None = None


class Projects:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(
        self,
        org_id: str,
        *,
        name: str | None = None,
        tag: str | None = None,
        sort: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Project]:
        """Projects that are all of what is said; `sort` is `-createdAt`, `createdAt`, `name` or `-name`."""
        asked = {"name": name, "tag": tag, "sort": sort}
        return await self._api.page(Project, _path(org_id), limit=limit, cursor=cursor, **asked)

    def iter_projects(self, org_id: str, **asked: str | None) -> AsyncIterator[Project]:
        """Every one of them; `asked` are the API's own query parameters, such as `tag`."""
        return self._api.pages(Project, _path(org_id), **asked)

    async def create(
        self,
        org_id: str,
        name: str,
        image: str,
        *,
        description: str | None = None,
        env: Mapping[str, str] | None = None,
        cpus: float | None = None,
        memory_bytes: int | None = None,
        labels: Mapping[str, str] | None = None,
        post_create_command: str | None = None,
        post_start_command: str | None = None,
        secrets: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        sharing: Mapping[int, Literal["org"]] | None = None,
        idle_timeout_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> Project:
        """Make a project with its version 1; what is None is left to the server. `sharing` says who reaches ports of
        its new workers at first, `idle_timeout_seconds` after how long without use they are stopped."""
        wanted = {
            "name": name,
            "image": image,
            "description": description,
            "env": None if env is None else dict(env),
            "cpus": cpus,
            "memoryBytes": memory_bytes,
            "labels": None if labels is None else dict(labels),
            "postCreateCommand": post_create_command,
            "postStartCommand": post_start_command,
            "secrets": None if secrets is None else list(secrets),
            "tags": None if tags is None else [*tags],
            "metadata": metadata,
            "sharing": None if sharing is None else {str(port): how for port, how in sharing.items()},
            "idleTimeoutSeconds": idle_timeout_seconds,
        }
        body = {field: value for field, value in wanted.items() if value is not None}
        return await self._api.create(Project, _path(org_id), body, idempotency_key=idempotency_key)

    async def get(self, org_id: str, project_id: str) -> Project:
        return await self._api.get(Project, _path(org_id, project_id))

    async def update(
        self, org_id: str, project_id: str, changes: Mapping[str, Any], *, if_match: str | None = None
    ) -> Project:
        """A merge patch by the API's own field names: an absent field stays, None clears, `env` and `labels` merge,
        `tags`, `metadata` and `sharing` are replaced whole. Raises ChangedMeanwhile."""
        return await self._api.patch(Project, _path(org_id, project_id), changes, if_match=if_match)

    async def delete(self, org_id: str, project_id: str, *, if_match: str | None = None) -> None:
        """Raises StateConflict while it has workers, ChangedMeanwhile."""
        await self._api.delete(_path(org_id, project_id), if_match=if_match)

    async def versions(
        self, org_id: str, project_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[ProjectVersion]:
        path = f"{_path(org_id, project_id)}/versions"
        return await self._api.page(ProjectVersion, path, limit=limit, cursor=cursor)

    def iter_versions(self, org_id: str, project_id: str) -> AsyncIterator[ProjectVersion]:
        return self._api.pages(ProjectVersion, f"{_path(org_id, project_id)}/versions")

    async def restore(self, org_id: str, project_id: str, version: int) -> Project:
        """Make an earlier version the newest one again, as a new version."""
        return await self._api.create(Project, f"{_path(org_id, project_id)}/versions/{version}/restore", {})


def _path(org_id: str, project_id: str | None = None) -> str:
    projects = f"/api/orgs/{org_id}/projects"
    return projects if project_id is None else f"{projects}/{project_id}"
