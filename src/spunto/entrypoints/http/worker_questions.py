"""What is asked of workers over HTTP: bodies and queries."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from spunto.core.access.model import UserId
from spunto.core.kernel.ids import pattern_of
from spunto.core.kernel.paging import Order, PageRequest
from spunto.core.nodes.model import NodeId
from spunto.core.projects.model import ProjectId
from spunto.core.workers.changes import Changes
from spunto.core.workers.idle import MAX_KEEP_SECONDS
from spunto.core.workers.listing import WorkerFilter
from spunto.core.workers.model import WorkerState
from spunto.core.workers.secrets import Wishes
from spunto.entrypoints.http.errors import invalid_fields
from spunto.entrypoints.http.paging import PageQuery, asked_page_of
from spunto.entrypoints.http.project_questions import Env, IdleTimeout, SecretNames
from spunto.entrypoints.http.requests import (
    In,
    Metadata,
    Name,
    Query,
    Tag,
    Tags,
    WaitSeconds,
)

BranchName = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\s\x00-\x1f\x7f-][^\s\x00-\x1f\x7f]*$")]


class WorkerIn(In):
    """`env` wins over the project's variables and over secrets. `grantSecrets` lets secrets of yours into this worker
    alone; `withoutSecrets` leaves out what is then still lacking, which otherwise is `grant_needed`."""

    node_id: Annotated[NodeId, StringConstraints(pattern=r"^nod_[0-9a-z]{26}$")] | None = None
    name: Name | None = None
    branch: BranchName | None = None
    tags: Tags = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict)
    env: Env = Field(default_factory=dict)
    grant_secrets: SecretNames = Field(default_factory=list)
    without_secrets: bool = False

    def wishes(self) -> Wishes:
        return Wishes(granted=tuple(dict.fromkeys(self.grant_secrets)), without=self.without_secrets)


class RebuildIn(In):
    """As for a spawn: `grantSecrets` lets secrets of yours in, `withoutSecrets` leaves out what is lacking."""

    grant_secrets: SecretNames = Field(default_factory=list)
    without_secrets: bool = False

    def wishes(self) -> Wishes:
        return Wishes(granted=tuple(dict.fromkeys(self.grant_secrets)), without=self.without_secrets)


class WorkerPatchIn(In):
    """A merge patch: what is absent stays, a list is replaced whole, null clears tags and metadata, and as idle
    timeout means that it is never stopped by itself."""

    name: Name | None = None
    tags: Tags | None = None
    metadata: Metadata | None = None
    idle_timeout_seconds: IdleTimeout | None = None

    def changes(self) -> Changes:
        """Raises Invalid for a name that is null."""
        given = self.model_fields_set
        changes: Changes = {}
        if "name" in given:
            if self.name is None:
                raise invalid_fields([{"pointer": "/name", "message": "Can't be cleared"}])
            changes["name"] = self.name
        if "tags" in given:
            changes["tags"] = distinct(self.tags)
        if "metadata" in given:
            changes["metadata"] = self.metadata or {}
        if "idle_timeout_seconds" in given:
            changes["idle_timeout_seconds"] = self.idle_timeout_seconds
        return changes


class KeepAliveIn(In):
    """Counts as a use; with `seconds` it is not stopped by idleness within that time either."""

    seconds: Annotated[int, Field(ge=0, le=MAX_KEEP_SECONDS)] = 0


class WaitQuery(Query):
    """`wait` holds the answer back until the worker has settled, for that many seconds at most."""

    wait: WaitSeconds = 0


class GetQuery(WaitQuery):
    """`include=destroyed` finds it for 30 days after its end too."""

    explain: bool = False
    include: Literal["destroyed"] | None = None


class WorkersQuery(PageQuery):
    """Workers that are all of what is asked for; with `include=destroyed` also those that ended in the last 30 days."""

    state: WorkerState | None = None
    name: Name | None = None
    node_id: Annotated[str, Field(pattern=pattern_of("nod"))] | None = None
    user_id: Annotated[str, Field(pattern=pattern_of("usr"))] | None = None
    tag: Tag | None = None
    sort: Order = Order.NEWEST
    include: Literal["destroyed"] | None = None

    @property
    def looks_back(self) -> bool:
        """Whoever asks for that state means those that are gone."""
        return self.include is not None or self.state is WorkerState.DESTROYED

    def matching(self) -> WorkerFilter:
        return WorkerFilter(
            state=self.state,
            name=self.name,
            node_id=None if self.node_id is None else NodeId(self.node_id),
            user_id=None if self.user_id is None else UserId(self.user_id),
            tag=self.tag,
        )


class AllWorkersQuery(WorkersQuery):
    project_id: Annotated[str, Field(pattern=pattern_of("prj"))] | None = None

    def matching(self) -> WorkerFilter:
        project_id = None if self.project_id is None else ProjectId(self.project_id)
        return replace(super().matching(), project_id=project_id)


def page_of(asked: WorkersQuery) -> PageRequest:
    return asked_page_of(asked, "wkr", order=asked.sort)


def distinct(tags: Sequence[str] | None) -> tuple[str, ...]:
    """Each once, in the order in which they were given."""
    return tuple(dict.fromkeys(tags or ()))
