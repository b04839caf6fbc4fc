"""Workers over HTTP: from spawn to destroy."""

from typing import Annotated, Any, Final

import orjson
from pydantic import StringConstraints
from quart import Blueprint, Response, request

from spunto.core.access.model import Actor, OrgId
from spunto.core.nodes.assignment import Observation
from spunto.core.nodes.model import NodeId
from spunto.core.projects.model import ProjectId
from spunto.core.workers.explain import Explanation
from spunto.core.workers.model import WorkerId
from spunto.core.workers.service import WorkerService, WorkerView
from spunto.entrypoints.http.nodes import problem_out
from spunto.entrypoints.http.paging import asked_page, page_response
from spunto.entrypoints.http.requests import In, Name, Query, idempotency_key, query, read, read_nothing
from spunto.entrypoints.http.responses import json_bytes, json_response

MAX_REMEMBERED: Final = 4096


BranchName = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\s\x00-\x1f\x7f-][^\s\x00-\x1f\x7f]*$")]


class WorkerIn(In):
    node_id: Annotated[NodeId, StringConstraints(pattern=r"^nod_[0-9a-z]{26}$")] | None = None
    name: Name | None = None
    branch: BranchName | None = None


class WorkerPatchIn(In):
    name: Name


class GetQuery(Query):
    explain: bool = False


def worker_out(view: WorkerView) -> dict[str, Any]:
    worker = view.worker
    owner = {"userId": worker.user_id} if worker.api_key_id is None else {"apiKeyId": worker.api_key_id}
    return {
        "id": worker.id,
        "projectId": worker.project_id,
        "orgId": worker.org_id,
        **owner,
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


def explanation_out(explanation: Explanation) -> dict[str, Any]:
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


def observation_out(observed: Observation) -> dict[str, Any]:
    return {
        "generation": observed.generation,
        "phase": observed.phase,
        "containerId": observed.container_id,
        "containerState": observed.container_state,
        "exitCode": observed.exit_code,
        "error": problem_out(observed.problem),
        "at": observed.at,
    }


class WorkerFragments:
    """Workers as JSON, each serialised once as long as nothing of it changes: lists are read far more often."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, str, bool], orjson.Fragment] = {}

    def of(self, view: WorkerView) -> orjson.Fragment:
        worker = view.worker
        key = (worker.id, worker.version, view.docker_state, view.outdated)
        fragment = self._known.get(key)
        if fragment is None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            fragment = self._known[key] = orjson.Fragment(json_bytes(worker_out(view)))
        return fragment


def workers_blueprint(workers: WorkerService) -> Blueprint:
    routes = Blueprint("workers", __name__, url_prefix="/api/orgs/<org_id>/projects/<project_id>/workers")
    fragments = WorkerFragments()

    @routes.get("")
    async def list_all(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        return page_response(await workers.list(actor, org_id, project_id, asked_page("wkr")), fragments.of)

    @routes.post("")
    async def spawn(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        asked = await read(WorkerIn)
        spawned = await workers.spawn(
            actor,
            org_id,
            project_id,
            node_id=asked.node_id,
            name=asked.name,
            branch=asked.branch,
            idempotency=await idempotency_key(actor),
        )
        return json_response(worker_out(spawned), 202)

    @routes.get("/<worker_id>")
    async def get(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        if request.query_string and query(GetQuery).explain:
            view, explanation = await workers.explain(actor, org_id, project_id, worker_id)
            return json_response({**worker_out(view), "explanation": explanation_out(explanation)})
        return json_response(worker_out(await workers.get(actor, org_id, project_id, worker_id)))

    @routes.patch("/<worker_id>")
    async def update(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        asked = await read(WorkerPatchIn)
        return json_response(worker_out(await workers.rename(actor, org_id, project_id, worker_id, name=asked.name)))

    @routes.delete("/<worker_id>")
    async def destroy(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        return json_response(worker_out(await workers.destroy(actor, org_id, project_id, worker_id)), 202)

    @routes.post("/<worker_id>/stop")
    async def stop(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        await read_nothing()
        return json_response(worker_out(await workers.stop(actor, org_id, project_id, worker_id)), 202)

    @routes.post("/<worker_id>/start")
    async def start(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        await read_nothing()
        return json_response(worker_out(await workers.start(actor, org_id, project_id, worker_id)), 202)

    return routes
