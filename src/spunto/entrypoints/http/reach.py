"""What needs a worker's node now, over HTTP: commands, logs, figures, git status and listening ports."""

from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import asdict
from typing import Any, Final, TypeVar

from quart import Blueprint, Response, g, request

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.access.standing import Standing
from spunto.core.projects.model import ProjectId
from spunto.core.workers.answers import MAX_RAW_LOG_BYTES, LogLine, at_most, log_lines, unreadable
from spunto.core.workers.git_status import MAX_REPOSITORIES
from spunto.core.workers.model import WorkerId
from spunto.core.workers.reach import WorkerReach
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.reach_shapes import (
    MAX_STDIN_BYTES,
    ExecIn,
    ExecOut,
    GitStatusOut,
    LogsQuery,
    PortsOut,
    StatsOut,
    exec_out,
    exec_request,
    port_out,
    repository_out,
    stats_out,
)
from spunto.entrypoints.http.requests import query, read
from spunto.entrypoints.http.responses import json_bytes, json_response
from spunto.entrypoints.serving.security import Doorkeeper

T = TypeVar("T")
PLAIN_TEXT: Final = "text/plain"
JSON_LINES: Final = "application/x-ndjson"
MAX_LOG_BYTES: Final = 8 * 1024 * 1024
NODE_ERRORS: Final = (
    "node_offline",
    "agent_incompatible",
    "node_silent",
    "worker_not_running",
    "worker_paused",
    "too_many_streams",
)


def reach_blueprint(
    reach: WorkerReach, doorkeeper: Doorkeeper, standing: Standing, *, name: str, under: str
) -> Blueprint:
    """Of the workers under that path: their project's, or all of them."""
    routes = Blueprint(name, __name__, url_prefix=f"{under}/<worker_id>")

    async def entitled(actor: Actor, worker_id: WorkerId, action: Action, work: Coroutine[Any, Any, T]) -> T:
        """What the work gives, which ends with the right to it; a command may take minutes."""
        headers, method, request_id = request.headers, request.method, g.request_id

        async def check() -> Actor:
            again = await doorkeeper.admit(headers, method=method, request_id=request_id)
            await reach.may_stay(again, worker_id, action)
            return again

        return await standing.during(actor, check, work)

    @routes.post("/exec")
    @operation(
        "Run a command in a worker",
        description=(
            "A list is run as it is, a text by `sh -c`. It ends when who asked loses the right to it. What it leaves "
            "running in the background goes on; the answer doesn't wait for that."
        ),
        body=ExecIn,
        answers={200: ExecOut},
        errors=(*NODE_ERRORS, "not_owner", "bad_stream_params", "engine_refused", "exec_cut_off"),
        bounds={"stdinBytes": MAX_STDIN_BYTES},
        operation_id="execInWorker",
    )
    async def execute(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        asked = await read(ExecIn)
        running = reach.exec(actor, org_id, project_id, worker_id, exec_request(asked))
        result = await entitled(actor, worker_id, Action.WORKER_ENTER, running)
        return json_response(exec_out(result, encoding=asked.encoding))

    @routes.get("/logs")
    @operation(
        "Read the end of a worker's log",
        description=(
            'Plain text, or with `Accept: application/x-ndjson` one JSON object a line: `{"at", "stream", "line"}`, '
            "where `stream` is stdout or stderr. Lines are whole; of one over 64 KiB the rest is replaced by a mark "
            "that says how much it was. At most the newest 8 MiB: where that is less than `tail` lines, the header "
            "`Log-Truncated: true` says so. For the worker's owner, and for admins, whose looks are audited."
        ),
        query=LogsQuery,
        answers={200: (PLAIN_TEXT, JSON_LINES)},
        errors=(*NODE_ERRORS, "not_owner", "engine_refused", "node_answer_unreadable"),
    )
    async def logs(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        asked = query(LogsQuery)
        pieces = reach.logs(actor, org_id, project_id, worker_id, tail=asked.tail, since=asked.since)
        reading = _newest(log_lines(at_most(pieces, max_bytes=MAX_RAW_LOG_BYTES)), tail=asked.tail)
        lines, is_cut = await entitled(actor, worker_id, Action.WORKER_READ_OUTPUT, reading)
        if request.accept_mimetypes.best_match((PLAIN_TEXT, JSON_LINES)) == JSON_LINES:
            answer = Response(b"".join(json_bytes(asdict(line)) + b"\n" for line in lines), content_type=JSON_LINES)
        else:
            text = _plain(lines, timestamps=asked.timestamps)
            answer = Response(text, content_type=f"{PLAIN_TEXT}; charset=utf-8")
        if is_cut:
            answer.headers["Log-Truncated"] = "true"
        return answer

    @routes.get("/stats")
    @operation(
        "Measure what a worker uses",
        answers={200: StatsOut},
        errors=(*NODE_ERRORS, "engine_refused", "node_answer_missing", "node_answer_unreadable"),
        unavailable=("worker_not_running",),
    )
    async def stats(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        return json_response(stats_out(await reach.stats(actor, org_id, project_id, worker_id)))

    @routes.get("/git-status")
    @operation(
        "See the state of a worker's git repositories",
        description=(
            f"Every repository below /workspace, up to {MAX_REPOSITORIES}, counted in the worker. "
            "One that could not be read whole has an `error` and no figures."
        ),
        answers={200: GitStatusOut},
        errors=(*NODE_ERRORS, "not_owner", "engine_refused", "exec_cut_off", "tool_missing"),
    )
    async def git_status(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        looking = reach.git_status(actor, org_id, project_id, worker_id)
        found = await entitled(actor, worker_id, Action.WORKER_ENTER, looking)
        return json_response({"repos": [repository_out(each) for each in found.repos], "truncated": found.truncated})

    @routes.get("/ports")
    @operation(
        "List the ports that a worker listens on",
        description=(
            "Looked at for each request by the worker's node, up to 4,096 of them; nothing runs in the worker for it. "
            "Where the node's agent is an older one, or can't look at the processes, `ss` is run in the worker."
        ),
        answers={200: PortsOut},
        errors=(
            *NODE_ERRORS,
            "not_owner",
            "engine_refused",
            "exec_cut_off",
            "node_answer_unreadable",
            "tool_missing",
        ),
    )
    async def ports(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        looking = reach.listening_ports(actor, org_id, project_id, worker_id)
        listeners = await entitled(actor, worker_id, Action.WORKER_ENTER, looking)
        return json_response({"items": [port_out(each) for each in listeners]})

    return routes


async def _newest(lines: AsyncIterator[LogLine], *, tail: int) -> tuple[Sequence[LogLine], bool]:
    """The last lines that fit into 8 MiB, so that no log can fill the server's memory, and whether any are left out.

    Raises Unavailable `node_answer_unreadable` for more lines than were asked for.
    """
    kept: deque[LogLine] = deque()
    kept_bytes = count = 0
    async for line in lines:
        count += 1
        if count > tail:
            raise unreadable()
        kept.append(line)
        kept_bytes += len(line.line)
        while kept_bytes > MAX_LOG_BYTES:
            kept_bytes -= len(kept.popleft().line)
    return kept, len(kept) < count


def _plain(lines: Sequence[LogLine], *, timestamps: bool) -> str:
    return "".join(f"{each.at} {each.line}\n" if timestamps else f"{each.line}\n" for each in lines)
