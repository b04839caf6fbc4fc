"""Which workers a list is asked for."""

from dataclasses import dataclass
from typing import NamedTuple

from spunto.core.access.model import UserId
from spunto.core.nodes.model import NodeId
from spunto.core.projects.model import ProjectId
from spunto.core.workers.model import Worker, WorkerState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFilter:
    """Every worker that is all of what is said; None says nothing."""

    project_id: ProjectId | None = None
    state: WorkerState | None = None
    name: str | None = None
    node_id: NodeId | None = None
    user_id: UserId | None = None
    tag: str | None = None


class Listed(NamedTuple):
    """A worker, whether its node is connected to whichever server process, and its project's newest version.

    A list makes fifty of them for every request, and a tuple is made in half the time of a dataclass.
    """

    worker: Worker
    is_connected: bool
    newest_version: int


ALL = WorkerFilter()
