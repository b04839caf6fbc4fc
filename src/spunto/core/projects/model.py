"""Projects: versioned templates of development environments."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NewType

from spunto.core.access.model import OrgId
from spunto.core.routes.desired import Sharing

ProjectId = NewType("ProjectId", str)

DEFAULT_CPU_MILLIS = 1000
DEFAULT_MEMORY_BYTES = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a worker is made from. Every change of it makes a new version.

    `secrets` names which of their owner's secrets workers get as variables.
    """

    image: str
    env: Mapping[str, str] = field(default_factory=dict)
    cpu_millis: int = DEFAULT_CPU_MILLIS
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    labels: Mapping[str, str] = field(default_factory=dict)
    post_create_command: str | None = None
    post_start_command: str | None = None
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`number` is its newest version of the environment; `workers_made` gives out worker indexes, never one twice.
    `creator_id` is the user or the organization's key that made it; nobody where that is not known any more. `tags` and
    `metadata` are for finding and for programs: they are no part of the environment. `sharing` is what new workers'
    ports begin with, where that is not their owner alone: never `public`, which a worker's owner says of each.
    `idle_timeout_seconds` is after how long without use they are stopped, None for never."""

    id: ProjectId
    org_id: OrgId
    name: str
    creator_id: str = ""
    description: str
    number: int
    environment: Environment
    workers_made: int = 0
    created_at: datetime
    updated_at: datetime
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sharing: Mapping[int, Sharing] = field(default_factory=dict)
    idle_timeout_seconds: int | None = None
    version: int = 1

    def with_environment(self, environment: Environment, *, at: datetime) -> "Project":
        """The next version of the environment; an equal one changes nothing."""
        if environment == self.environment:
            return self
        return replace(self, environment=environment, number=self.number + 1, updated_at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectVersion:
    """One immutable version `v{number}`. `made_by` is who asked, `owner_id` the user or the organization's key
    behind that, nobody where it is not known any more; `restored_from` is the number that it copies."""

    project_id: ProjectId
    org_id: OrgId
    number: int
    environment: Environment
    created_at: datetime
    made_by: str
    owner_id: str = ""
    restored_from: int | None = None
