"""Workers: one container each, spawned from a project version, owned by one user or one key."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

from spunto.core.access.model import ApiKeyId, OrgId, UserId
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.problem import Problem
from spunto.core.nodes.model import NodeId
from spunto.core.projects.model import ProjectId
from spunto.core.specs.worker import WorkerSpec

WorkerId = NewType("WorkerId", str)


class WorkerState(StrEnum):
    SPAWNING = "spawning"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    STARTING = "starting"
    DESTROYING = "destroying"
    DESTROYED = "destroyed"
    ERROR = "error"


class DockerState(StrEnum):
    """What the engine says now; `unknown` while the node can't be reached or has said nothing yet."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    EXITED = "exited"
    CREATED = "created"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


class Activity(StrEnum):
    """What somebody did with a worker last."""

    SPAWN = "spawn"
    START = "start"
    EXEC = "exec"
    FILES = "files"
    TERMINAL = "terminal"
    HTTP = "http"
    WEBSOCKET = "websocket"
    SSH = "ssh"
    KEEP_ALIVE = "keep-alive"


S = WorkerState
TRANSIENT: frozenset[WorkerState] = frozenset({S.SPAWNING, S.STARTING, S.STOPPING, S.DESTROYING})
"""On the way to somewhere; every other state lasts until somebody asks for another, or something happens."""

STANDING: frozenset[WorkerState] = frozenset(S) - {S.DESTROYED}
"""Of workers that are there; the other is of what is only told of."""

MOVES: Mapping[WorkerState, frozenset[WorkerState]] = {
    S.SPAWNING: frozenset({S.STARTING, S.READY, S.STOPPED, S.STOPPING, S.ERROR, S.DESTROYING}),
    S.READY: frozenset({S.STARTING, S.STOPPING, S.STOPPED, S.ERROR, S.DESTROYING}),
    S.STOPPING: frozenset({S.STOPPED, S.ERROR, S.DESTROYING}),
    S.STOPPED: frozenset({S.STARTING, S.READY, S.ERROR, S.DESTROYING}),
    S.STARTING: frozenset({S.STARTING, S.READY, S.STOPPED, S.STOPPING, S.ERROR, S.DESTROYING}),
    S.ERROR: frozenset({S.STARTING, S.READY, S.STOPPING, S.STOPPED, S.DESTROYING}),
    S.DESTROYING: frozenset(),
    S.DESTROYED: frozenset(),
}
"""Every move there is. Destroying is accepted from everywhere and ends with the record's removal; what is gone is
told of for a while."""

PATIENCE: Mapping[WorkerState, timedelta] = {
    S.SPAWNING: timedelta(minutes=15),
    S.STARTING: timedelta(minutes=5),
    S.STOPPING: timedelta(minutes=2),
    S.DESTROYING: timedelta(minutes=5),
}
"""How long a transient state may last while the node can be reached; see `planner` for what happens then."""


SETUP_PATIENCE = timedelta(minutes=65)
"""How much longer a rebuild may take while its new container runs its setup, which the node bounds by itself."""

IDLE = "idle"
"""Why a worker was stopped that nobody used; whoever else stops one has a name in the audit log."""

REBUILD_FAILED = "rebuild_failed"
"""The code of what a worker tells that runs on as before a rebuild."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """What a worker was before a rebuild that is not over: its node keeps the container until the new one is ready."""

    spec: WorkerSpec
    project_version: int
    granted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """`generation` is the newest one of its assignment. `env` is what was asked for beside the project's,
    `granted` names secrets of its owner that were let in for this worker alone. It is stopped when nobody has used it
    for `idle_timeout_seconds`, None for never, and not before `kept_until`."""

    id: WorkerId
    org_id: OrgId
    project_id: ProjectId
    project_version: int
    user_id: UserId | None
    api_key_id: ApiKeyId | None
    index: int
    name: str
    branch: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    granted: tuple[str, ...] = ()
    way_back: WayBack | None = None
    node_id: NodeId
    state: WorkerState
    state_since: datetime
    deadline_at: datetime | None
    generation: int = 1
    container_id: str | None = None
    docker_state: DockerState = DockerState.UNKNOWN
    setup: Mapping[str, Any] | None = None
    problem: Problem | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    last_activity_at: datetime
    last_activity: Activity = Activity.SPAWN
    idle_timeout_seconds: int | None = None
    kept_until: datetime | None = None
    stop_reason: str | None = None
    created_at: datetime
    stopped_at: datetime | None = None
    version: int = 1

    @property
    def stops_at(self) -> datetime | None:
        """When it is stopped unless somebody uses it before; None while it does not run, and where that never is."""
        if self.state is not S.READY or self.idle_timeout_seconds is None:
            return None
        # However long it took to come up, nobody could use it meanwhile.
        idle_since = max(self.last_activity_at, self.state_since)
        idle_at = idle_since + timedelta(seconds=self.idle_timeout_seconds)
        return idle_at if self.kept_until is None else max(idle_at, self.kept_until)

    def kept(self, *, until: datetime) -> "Worker":
        """Not stopped by idleness before then; what was said of a later time stays."""
        return self if self.kept_until is not None and self.kept_until >= until else replace(self, kept_until=until)

    def used(self, activity: Activity, *, at: datetime) -> "Worker":
        return replace(self, last_activity_at=at, last_activity=activity)

    def destroyed(self, *, at: datetime) -> "Worker":
        """What is told of it when it is gone; what was only of use to its container is forgotten at once."""
        gone = replace(self, state=S.DESTROYED, state_since=at, deadline_at=None, docker_state=DockerState.NOT_FOUND)
        return replace(gone, container_id=None, env={}, granted=(), way_back=None)

    def moved(self, to: WorkerState, *, at: datetime, problem: Problem | None = None) -> "Worker":
        """The worker in another state. Raises Conflict `worker_state` for a move that is not in the table."""
        if to not in MOVES[self.state]:
            raise Conflict(
                "worker_state",
                f"The worker is {self.state} since {self.state_since:%H:%M:%S}Z and can't become {to} from there.",
                id=self.id,
                state=self.state.value,
            )
        patience = PATIENCE.get(to)
        return replace(
            self,
            state=to,
            state_since=at,
            deadline_at=None if patience is None else at + patience,
            problem=problem,
            stopped_at=at if to is WorkerState.STOPPED else None,
            stop_reason=self.stop_reason if to is WorkerState.STOPPED else None,
            kept_until=None if to in (WorkerState.STOPPING, WorkerState.STOPPED) else self.kept_until,
        )
