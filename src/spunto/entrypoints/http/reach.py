"""What needs a worker's node now, over HTTP: commands, logs, figures, git status and listening ports."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final

import orjson
from pydantic import Field, StringConstraints
from quart import Blueprint, Response, request

from spunto.core.access.model import Actor, OrgId
from spunto.core.projects.model import ProjectId
from spunto.core.workers.git_status import Repository
from spunto.core.workers.listening import Listener
from spunto.core.workers.model import WorkerId
from spunto.core.workers.reach import ExecRequest, WorkerReach
from spunto.core.workers.transcript import ExecResult
from spunto.entrypoints.http.requests import In, Query, query, read
from spunto.entrypoints.http.responses import json_response

Argument = Annotated[str, StringConstraints(max_length=64 * 1024)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
JSON_LINES: Final = "application/x-ndjson"


class ExecIn(In):
    """`command` as a list is run as it is, as a text by `sh -c`."""

    command: (
        Annotated[list[Argument], Field(min_length=1, max_length=1000)]
        | Annotated[str, StringConstraints(min_length=1, max_length=64 * 1024)]
    )
    cwd: Annotated[str, StringConstraints(pattern=r"^/", max_length=4096)] | None = None
    env: Annotated[dict[VariableName, Argument], Field(max_length=200)] = Field(default_factory=dict)
    stdin: Annotated[str, StringConstraints(max_length=512 * 1024)] = ""
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 60.0
    user: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_][a-z0-9_.:-]{0,63}$")] | None = None


class LogsQuery(Query):
    tail: Annotated[int, Field(ge=1, le=10_000)] = 200
    timestamps: bool = False
    since: datetime | None = None


def exec_request(asked: ExecIn) -> ExecRequest:
    command = ["sh", "-c", asked.command] if isinstance(asked.command, str) else asked.command
    return ExecRequest(
        command=command,
        env=asked.env,
        cwd=asked.cwd,
        user=asked.user,
        stdin=asked.stdin.encode(),
        timeout_seconds=asked.timeout_seconds,
    )


def exec_out(result: ExecResult) -> dict[str, Any]:
    return {
        "exitCode": result.exit_code,
        "stdout": result.stdout.decode(errors="replace"),
        "stderr": result.stderr.decode(errors="replace"),
        "truncated": result.truncated,
        "timedOut": result.timed_out,
        "durationMs": result.duration_ms,
    }


def repository_out(repository: Repository) -> dict[str, Any]:
    return asdict(repository)


def listener_out(listener: Listener) -> dict[str, Any]:
    """No `url` before there is an edge; a port is its owner's until it can be shared."""
    return {
        "port": listener.port,
        "address": listener.address,
        "process": listener.process,
        "url": None,
        "sharing": "private",
    }


def reach_blueprint(reach: WorkerReach) -> Blueprint:
    prefix = "/api/orgs/<org_id>/projects/<project_id>/workers/<worker_id>"
    routes = Blueprint("reach", __name__, url_prefix=prefix)

    @routes.post("/exec")
    async def execute(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        asked = exec_request(await read(ExecIn))
        return json_response(exec_out(await reach.exec(actor, org_id, project_id, worker_id, asked)))

    @routes.get("/logs")
    async def logs(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        asked = query(LogsQuery)
        pieces = reach.logs(actor, org_id, project_id, worker_id, tail=asked.tail, since=asked.since)
        lines = b"".join([piece async for piece in pieces])
        if JSON_LINES in request.headers.get("Accept", ""):
            return Response(lines, content_type=JSON_LINES)
        return Response(_plain(lines, timestamps=asked.timestamps), content_type="text/plain; charset=utf-8")

    @routes.get("/stats")
    async def stats(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        return json_response(await reach.stats(actor, org_id, project_id, worker_id))

    @routes.get("/git-status")
    async def git_status(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        repositories = await reach.git_status(actor, org_id, project_id, worker_id)
        return json_response({"repos": [repository_out(each) for each in repositories]})

    @routes.get("/ports")
    async def ports(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        listeners = await reach.listening_ports(actor, org_id, project_id, worker_id)
        return json_response({"items": [listener_out(each) for each in listeners]})

    return routes


def _plain(lines: bytes, *, timestamps: bool) -> str:
    told = []
    for line in lines.splitlines():
        entry = orjson.loads(line)
        told.append(f"{entry['at']} {entry['line']}\n" if timestamps else f"{entry['line']}\n")
    return "".join(told)
