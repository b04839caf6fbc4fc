"""Which terminals a worker has, over HTTP; they are entered by the WebSocket."""

from datetime import datetime

from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId
from spunto.core.projects.model import ProjectId
from spunto.core.workers.model import WorkerId
from spunto.core.workers.terminals import TerminalView, WorkerTerminals
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.reach import NODE_ERRORS
from spunto.entrypoints.http.responses import json_response


class TerminalOut(TypedDict):
    """`leftSeconds` is for how long nobody has looked at it, null while somebody does."""

    session: str
    name: str | None
    cols: int
    rows: int
    viewers: int
    startedAt: datetime
    leftSeconds: float | None


class TerminalsOut(TypedDict):
    items: list[TerminalOut]


def terminals_blueprint(terminals: WorkerTerminals, *, name: str, under: str) -> Blueprint:
    """Of the workers under that path: their project's, or all of them."""
    routes = Blueprint(name, __name__, url_prefix=f"{under}/<worker_id>/terminals")

    @routes.get("")
    @operation(
        "List a worker's terminals",
        description=(
            "Those whose shell goes on, oldest first, whether or not somebody looks at them: one without a name for "
            "ten minutes after the last look, one with a name for a week, and none longer than its worker runs."
        ),
        answers={200: TerminalsOut},
        errors=(*NODE_ERRORS, "not_owner", "agent_too_old", "holder_away", "node_answer_unreadable"),
        operation_id="listWorkerTerminals",
    )
    async def listed(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        found = await terminals.list(actor, org_id, project_id, worker_id)
        return json_response({"items": [_out(each) for each in found]})

    @routes.delete("/<session>")
    @operation(
        "Hang up a worker's terminal",
        description="Its shell gets SIGHUP, and whoever looks at it is told its end.",
        answers={204: None},
        errors=(
            *NODE_ERRORS,
            "not_owner",
            "terminal_not_found",
            "session_lost",
            "agent_too_old",
            "holder_away",
            "node_answer_unreadable",
        ),
        operation_id="endWorkerTerminal",
    )
    async def end(
        actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId, session: str
    ) -> Response:
        await terminals.end(actor, org_id, project_id, worker_id, session)
        return Response(status=204)

    return routes


def _out(view: TerminalView) -> TerminalOut:
    return {
        "session": view.session,
        "name": view.name,
        "cols": view.cols,
        "rows": view.rows,
        "viewers": view.viewers,
        "startedAt": view.started_at,
        "leftSeconds": view.left_seconds,
    }
