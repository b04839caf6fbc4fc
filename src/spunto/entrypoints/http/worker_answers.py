"""What is answered about workers over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NotRequired

import orjson
from quart import Response
from typing_extensions import TypedDict

from spunto.core.access.model import ApiKeyId, OrgId, UserId
from spunto.core.kernel.derived import Derived
from spunto.core.kernel.paging import Page
from spunto.core.nodes.assignment import Observation
from spunto.core.nodes.model import NodeId
from spunto.core.projects.model import ProjectId
from spunto.core.protocol.messages import Phase
from spunto.core.workers.explain import Explanation
from spunto.core.workers.model import Activity, DockerState, WorkerId, WorkerState
from spunto.core.workers.views import WorkerView
from spunto.entrypoints.http.node_answers import ErrorOut, problem_out
from spunto.entrypoints.http.paging import page_bytes
from spunto.entrypoints.http.responses import Reply, bytes_response, json_bytes

MAX_REMEMBERED: Final = 4096
# Some 4 MB of usual pages of fifty; larger ones are put together of their workers each time.
MOST_PAGES: Final = 128
MOST_PAGE_BYTES: Final = 64 * 1024


class LastActivityOut(TypedDict):
    """When somebody used it last, to the minute, and how."""

    at: datetime
    source: Activity


class WorkerUrlsOut(TypedDict):
    """Where its owner, and whom its ports are shared with, reaches it. `code` leads to port 8080, where the browser's
    editor belongs; `port` leads to any port, with `{port}` in its place."""

    code: str
    port: str


class ObservationOut(TypedDict):
    """What the node last said."""

    generation: int
    phase: Phase
    containerId: str | None
    containerState: str | None
    exitCode: int | None
    error: ErrorOut | None
    at: datetime


class ExplanationOut(TypedDict):
    """Why a worker is as it is: what is wanted against what was observed, what blocks, what happens next and when."""

    wanted: str
    generation: int
    wantedSince: datetime | None
    observed: ObservationOut | None
    blocking: str | None
    since: datetime
    next: str
    nextAt: datetime | None


class WorkerOut(TypedDict):
    """Owned by a user (`userId`) or by an organization's API key (`apiKeyId`). `setupStatus` is as the worker's
    container shows it; what its commands said (`outputTail`) only to its owner, and to admins who get this one worker;
    `outdated` when its project has a newer version; `urls` as long as it is not destroyed;
    `keptUntil` is what `keep-alive` said last: before then it is not stopped by idleness, unless somebody stops it;
    `stopsAt` when it is stopped unless somebody uses it before, `stopReason` is `idle` where that has happened;
    `explanation` where it was asked for; `destroyedAt` of one that is gone."""

    id: WorkerId
    projectId: ProjectId
    orgId: OrgId
    userId: NotRequired[UserId | None]
    apiKeyId: NotRequired[ApiKeyId]
    index: int
    name: str
    state: WorkerState
    setupStatus: Mapping[str, Any] | None
    dockerState: DockerState
    projectVersion: int
    outdated: bool
    nodeId: NodeId
    containerId: str | None
    urls: NotRequired[WorkerUrlsOut]
    tags: list[str]
    metadata: Mapping[str, Any]
    lastActivity: LastActivityOut
    idleTimeoutSeconds: int | None
    keptUntil: datetime | None
    stopsAt: datetime | None
    stopReason: str | None
    error: ErrorOut | None
    createdAt: datetime
    stoppedAt: datetime | None
    destroyedAt: NotRequired[datetime]
    explanation: NotRequired[ExplanationOut]


class WorkersOut(TypedDict):
    items: list[WorkerOut]
    nextCursor: str | None


def worker_out(view: WorkerView) -> WorkerOut:
    worker = view.worker
    out: WorkerOut = {
        "id": worker.id,
        "projectId": worker.project_id,
        "orgId": worker.org_id,
        "index": worker.index,
        "name": worker.name,
        "state": worker.state,
        "setupStatus": worker.setup,
        "dockerState": view.docker_state,
        "projectVersion": worker.project_version,
        "outdated": view.outdated,
        "nodeId": worker.node_id,
        "containerId": worker.container_id,
        "tags": list(worker.tags),
        "metadata": worker.metadata,
        "lastActivity": {"at": worker.last_activity_at, "source": worker.last_activity},
        "idleTimeoutSeconds": worker.idle_timeout_seconds,
        "keptUntil": worker.kept_until,
        "stopsAt": worker.stops_at,
        "stopReason": worker.stop_reason,
        "error": problem_out(worker.problem),
        "createdAt": worker.created_at,
        "stoppedAt": worker.stopped_at,
    }
    if view.urls is not None:
        out["urls"] = {"code": view.urls.code, "port": view.urls.port}
    if worker.state is WorkerState.DESTROYED:
        out["destroyedAt"] = worker.state_since
    if worker.api_key_id is None:
        out["userId"] = worker.user_id
    else:
        out["apiKeyId"] = worker.api_key_id
    return out


def told_by_tag(view: WorkerView) -> Any:
    """What a worker's tag is made of. By the version in place of the output of its set-up, which a change is answered
    without: then the tag of that answer is the one that reading it gives, whoever reads."""
    return {**worker_out(view), "setupStatus": view.worker.version}


def explanation_out(explanation: Explanation) -> ExplanationOut:
    return {
        "wanted": explanation.wanted,
        "generation": explanation.generation,
        "wantedSince": explanation.wanted_since,
        "observed": None if explanation.observed is None else observation_out(explanation.observed),
        "blocking": explanation.blocking,
        "since": explanation.since,
        "next": explanation.next,
        "nextAt": explanation.next_at,
    }


def observation_out(observed: Observation) -> ObservationOut:
    return {
        "generation": observed.generation,
        "phase": observed.phase,
        "containerId": observed.container_id,
        "containerState": observed.container_state,
        "exitCode": observed.exit_code,
        "error": problem_out(observed.problem),
        "at": observed.at,
    }


def under_way(view: WorkerView) -> Reply:
    """Accepted: what the worker is on the way of, and where to watch it."""
    worker = view.worker
    location = f"/api/orgs/{worker.org_id}/projects/{worker.project_id}/workers/{worker.id}"
    return Reply(worker_out(view), 202, {"Location": location})


class WorkerFragments:
    """Workers as JSON, each serialised once as long as nothing that is shown changes, and so are whole pages of them:
    lists are read far more often."""

    def __init__(self) -> None:
        # Its owner sees more than others do.
        self._known: dict[tuple[str, bool], tuple[WorkerView, orjson.Fragment]] = {}
        self._pages: Derived[Page[WorkerView], bytes] = Derived(
            capacity=MOST_PAGES, keeps=lambda body: len(body) <= MOST_PAGE_BYTES
        )

    def response(self, page: Page[WorkerView]) -> Response:
        return bytes_response(self._pages.of(page, None, lambda: page_bytes(page, self.of)))

    def of(self, view: WorkerView) -> orjson.Fragment:
        key = (view.worker.id, view.shows_output)
        seen, fragment = self._known.get(key, (None, None))
        if fragment is None or seen != view:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            fragment = orjson.Fragment(json_bytes(worker_out(view)))
            self._known[key] = (view, fragment)
        return fragment
