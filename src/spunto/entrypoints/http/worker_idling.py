"""Keeping a worker awake over HTTP."""

from quart import Blueprint, Response

from spunto.core.access.model import Actor, OrgId
from spunto.core.projects.model import ProjectId
from spunto.core.workers.idling import WorkerIdling
from spunto.core.workers.model import WorkerId
from spunto.core.workers.service import WorkerService
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.requests import read
from spunto.entrypoints.http.responses import json_response
from spunto.entrypoints.http.worker_answers import WorkerOut, worker_out
from spunto.entrypoints.http.worker_questions import KeepAliveIn


def idling_blueprint(idling: WorkerIdling, workers: WorkerService, *, name: str, under: str) -> Blueprint:
    """Of the workers under that path: their project's, or all of them."""
    routes = Blueprint(name, __name__, url_prefix=f"{under}/<worker_id>")

    @routes.post("/keep-alive")
    @operation(
        "Keep a worker from being stopped by idleness",
        description=(
            "It counts as used now; with `seconds`, a day at most, it is not stopped by idleness within that time. "
            "Nothing is shortened by it."
        ),
        body=KeepAliveIn,
        answers={200: WorkerOut},
        errors=("not_owner", "worker_not_running", "stale_version"),
        operation_id="keepWorkerAlive",
    )
    async def keep_alive(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        asked = await read(KeepAliveIn)
        await idling.keep_alive(actor, org_id, project_id, worker_id, seconds=asked.seconds)
        return json_response(worker_out(await workers.get(actor, org_id, project_id, worker_id)))

    return routes
