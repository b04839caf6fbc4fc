"""Workers over HTTP: from spawn to destroy."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, NotRequired

import orjson
from pydantic import Field, StringConstraints
from quart import Blueprint, Response, request
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, ApiKeyId, OrgId, UserId
from spunto.core.nodes.assignment import Observation
from spunto.core.nodes.model import NodeId
from spunto.core.projects.model import ProjectId
from spunto.core.protocol.messages import Phase
from spunto.core.workers.explain import Explanation
from spunto.core.workers.model import DockerState, WorkerId, WorkerState
from spunto.core.workers.secrets import Wishes
from spunto.core.workers.service import WorkerService, WorkerView
from spunto.entrypoints.http.node_answers import ErrorOut, problem_out
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import PageQuery, asked_page, page_response
from spunto.entrypoints.http.projects import Env, SecretNames
from spunto.entrypoints.http.requests import In, Name, Nothing, Query, idempotency_key, query, read, read_nothing
from spunto.entrypoints.http.responses import Reply, json_bytes, json_response

MAX_REMEMBERED: Final = 4096


BranchName = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\s\x00-\x1f\x7f-][^\s\x00-\x1f\x7f]*$")]


class WorkerIn(In):
    """`env` wins over the project's variables and over secrets. `grantSecrets` lets secrets of yours into this worker
    alone; `withoutSecrets` leaves out what is then still lacking, which otherwise is `grant_needed`."""

    node_id: Annotated[NodeId, StringConstraints(pattern=r"^nod_[0-9a-z]{26}$")] | None = None
    name: Name | None = None
    branch: BranchName | None = None
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
    name: Name


class GetQuery(Query):
    explain: bool = False


class WorkerUrlsOut(TypedDict):
    code: str | None
    ssh: str | None


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
    `outdated` when its project has a newer version; `explanation` where it was asked for."""

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
    branch: str | None
    nodeId: NodeId
    containerId: str | None
    tags: list[str]
    urls: WorkerUrlsOut
    lastActivity: datetime
    stopsAt: datetime | None
    error: ErrorOut | None
    createdAt: datetime
    stoppedAt: datetime | None
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
        "branch": worker.branch,
        "nodeId": worker.node_id,
        "containerId": worker.container_id,
        "tags": [],
        "urls": {"code": None, "ssh": None},
        "lastActivity": worker.last_activity_at,
        "stopsAt": None,
        "error": problem_out(worker.problem),
        "createdAt": worker.created_at,
        "stoppedAt": worker.stopped_at,
    }
    if worker.api_key_id is None:
        out["userId"] = worker.user_id
    else:
        out["apiKeyId"] = worker.api_key_id
    return out


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
    """Workers as JSON, each serialised once as long as nothing that is shown changes: lists are read far more often."""

    def __init__(self) -> None:
        # Its owner sees more than others do.
        self._known: dict[tuple[str, bool], tuple[WorkerView, orjson.Fragment]] = {}

    def of(self, view: WorkerView) -> orjson.Fragment:
        key = (view.worker.id, view.shows_output)
        seen, fragment = self._known.get(key, (None, None))
        if fragment is None or seen != view:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            fragment = orjson.Fragment(json_bytes(worker_out(view)))
            self._known[key] = (view, fragment)
        return fragment


def workers_blueprint(workers: WorkerService) -> Blueprint:
    routes = Blueprint("workers", __name__, url_prefix="/api/orgs/<org_id>/projects/<project_id>/workers")
    fragments = WorkerFragments()

    @routes.get("")
    @operation("List a project's workers", query=PageQuery, answers={200: WorkersOut})
    async def list_all(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        return page_response(await workers.list(actor, org_id, project_id, asked_page("wkr")), fragments.of)

    @routes.post("")
    @operation(
        "Spawn a worker",
        description="Answers at once; watch `state` until it is `ready` or `error`.",
        body=WorkerIn,
        answers={202: WorkerOut},
        errors=(
            "no_node_available",
            "worker_name_taken",
            "grant_needed",
            "secrets_full",
            "env_too_large",
            "env_name_reserved",
            "user_required",
            "stale_version",
        ),
        idempotent=True,
        operation_id="spawnWorker",
    )
    async def spawn(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        asked = await read(WorkerIn)
        spawned = await workers.spawn(
            actor,
            org_id,
            project_id,
            node_id=asked.node_id,
            name=asked.name,
            branch=asked.branch,
            env=asked.env,
            secrets=asked.wishes(),
            idempotency=await idempotency_key(actor, under_way),
        )
        return under_way(spawned).response()

    @routes.get("/<worker_id>")
    @operation(
        "Get a worker",
        description="With `explain`, it says what is wanted, what the node saw, what blocks and what comes next.",
        query=GetQuery,
        answers={200: WorkerOut},
    )
    async def get(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        if request.query_string and query(GetQuery).explain:
            view, explanation = await workers.explain(actor, org_id, project_id, worker_id)
            explained: WorkerOut = {**worker_out(view), "explanation": explanation_out(explanation)}
            return json_response(explained)
        return json_response(worker_out(await workers.get(actor, org_id, project_id, worker_id)))

    @routes.patch("/<worker_id>")
    @operation(
        "Rename a worker",
        body=WorkerPatchIn,
        answers={200: WorkerOut},
        errors=("not_owner", "worker_name_taken", "stale_version"),
        operation_id="updateWorker",
    )
    async def update(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        asked = await read(WorkerPatchIn)
        return json_response(worker_out(await workers.rename(actor, org_id, project_id, worker_id, name=asked.name)))

    @routes.delete("/<worker_id>")
    @operation(
        "Destroy a worker, with its container, network and volumes",
        answers={202: WorkerOut},
        errors=("not_owner", "stale_version"),
        operation_id="destroyWorker",
    )
    async def destroy(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        return under_way(await workers.destroy(actor, org_id, project_id, worker_id)).response()

    @routes.post("/<worker_id>/stop")
    @operation(
        "Stop a worker; its file system stays",
        body=Nothing,
        answers={202: WorkerOut},
        errors=("not_owner", "node_removed", "worker_state", "stale_version"),
        idempotent=True,
    )
    async def stop(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        await read_nothing()
        key = await idempotency_key(actor, under_way)
        return under_way(await workers.stop(actor, org_id, project_id, worker_id, idempotency=key)).response()

    @routes.post("/<worker_id>/start")
    @operation(
        "Start a stopped worker, or one in error",
        body=Nothing,
        answers={202: WorkerOut},
        errors=("not_owner", "node_removed", "no_node_available", "worker_state", "stale_version"),
        idempotent=True,
    )
    async def start(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        await read_nothing()
        key = await idempotency_key(actor, under_way)
        return under_way(await workers.start(actor, org_id, project_id, worker_id, idempotency=key)).response()

    @routes.post("/<worker_id>/rebuild")
    @operation(
        "Make a worker anew from its project's newest version",
        description="`/workspace` stays; the rest of the file system is the image's again. The container before is "
        "stopped first and kept until the new one is ready; where that fails it runs again, and `error` says why "
        "(`rebuild_failed`).",
        body=RebuildIn,
        answers={202: WorkerOut},
        errors=(
            "not_owner",
            "node_removed",
            "no_node_available",
            "grant_needed",
            "secrets_full",
            "env_too_large",
            "user_required",
            "worker_state",
            "stale_version",
        ),
        idempotent=True,
        operation_id="rebuildWorker",
    )
    async def rebuild(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        asked = await read(RebuildIn)
        key = await idempotency_key(actor, under_way)
        rebuilt = await workers.rebuild(actor, org_id, project_id, worker_id, secrets=asked.wishes(), idempotency=key)
        return under_way(rebuilt).response()

    return routes
