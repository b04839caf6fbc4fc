"""What needs a worker's node now, over HTTP: commands, logs, figures, git status and listening ports."""

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, ValidationError, model_validator
from quart import Blueprint, Response, request
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId
from spunto.core.projects.model import ProjectId
from spunto.core.workers.answers import LogLine, log_lines, unreadable
from spunto.core.workers.git_status import Repository
from spunto.core.workers.listening import Listener
from spunto.core.workers.model import WorkerId
from spunto.core.workers.reach import ExecRequest, WorkerReach
from spunto.core.workers.transcript import ExecResult
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.requests import In, Query, query, read
from spunto.entrypoints.http.responses import json_bytes, json_response

Argument = Annotated[str, StringConstraints(max_length=64 * 1024)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
PLAIN_TEXT: Final = "text/plain"
JSON_LINES: Final = "application/x-ndjson"
MAX_COMMAND_BYTES: Final = 128 * 1024
MAX_LOG_BYTES: Final = 8 * 1024 * 1024


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

    @model_validator(mode="after")
    def _fits_a_frame(self) -> Self:
        texts = (
            (self.command, *self.env.values()) if isinstance(self.command, str) else (*self.command, *self.env.values())
        )
        if sum(len(text.encode()) for text in texts) > MAX_COMMAND_BYTES:
            raise ValueError(f"command and env hold at most {MAX_COMMAND_BYTES} bytes together; send more as stdin")
        return self


class LogsQuery(Query):
    tail: Annotated[int, Field(ge=1, le=10_000)] = 200
    timestamps: bool = False
    since: AwareDatetime | None = None


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


class ExecOut(TypedDict):
    """How the command ended. `truncated` where it said more than is kept; one that timed out has exit code 124."""

    exitCode: int
    stdout: str
    stderr: str
    truncated: bool
    timedOut: bool
    durationMs: int


class StatsOut(TypedDict):
    """What the worker's container uses now. `cpuPercent` is of one core."""

    cpuPercent: float
    memoryBytes: int
    memoryLimitBytes: int
    pids: int
    networkRxBytes: int
    networkTxBytes: int
    blockReadBytes: int
    blockWriteBytes: int
    sampledAt: datetime


class GitRepositoryOut(TypedDict):
    """`ahead` and `behind` against the upstream, null without one; `unpushed` commits are on no remote at all."""

    path: str
    branch: str | None
    head: str | None
    ahead: int | None
    behind: int | None
    staged: int
    modified: int
    untracked: int
    unpushed: int
    stashed: int


class GitStatusOut(TypedDict):
    repos: list[GitRepositoryOut]


class PortOut(TypedDict):
    """`url` is null as long as nothing makes the port reachable."""

    port: int
    address: str
    process: str | None
    url: str | None
    sharing: Literal["private"]


class PortsOut(TypedDict):
    items: list[PortOut]


def exec_out(result: ExecResult) -> ExecOut:
    return {
        "exitCode": result.exit_code,
        "stdout": result.stdout.decode(errors="replace"),
        "stderr": result.stderr.decode(errors="replace"),
        "truncated": result.truncated,
        "timedOut": result.timed_out,
        "durationMs": result.duration_ms,
    }


def stats_out(body: Mapping[str, Any]) -> StatsOut:
    """Raises Unavailable `node_answer_unreadable` for figures that are none: they are the node's own words."""
    try:
        return _STATS.validate_python(body)
    except ValidationError as error:
        raise unreadable() from error


def repository_out(repository: Repository) -> GitRepositoryOut:
    return {
        "path": repository.path,
        "branch": repository.branch,
        "head": repository.head,
        "ahead": repository.ahead,
        "behind": repository.behind,
        "staged": repository.staged,
        "modified": repository.modified,
        "untracked": repository.untracked,
        "unpushed": repository.unpushed,
        "stashed": repository.stashed,
    }


def listener_out(listener: Listener) -> PortOut:
    """No `url` before there is an edge; a port is its owner's until it can be shared."""
    return {
        "port": listener.port,
        "address": listener.address,
        "process": listener.process,
        "url": None,
        "sharing": "private",
    }


_STATS: Final = TypeAdapter(StatsOut)
_NODE_ERRORS: Final = ("node_offline", "node_silent", "worker_not_running", "too_many_streams")


def reach_blueprint(reach: WorkerReach) -> Blueprint:
    prefix = "/api/orgs/<org_id>/projects/<project_id>/workers/<worker_id>"
    routes = Blueprint("reach", __name__, url_prefix=prefix)

    @routes.post("/exec")
    @operation(
        "Run a command in a worker",
        description="A list is run as it is, a text by `sh -c`. Output is kept up to a limit, the rest is dropped.",
        body=ExecIn,
        answers={200: ExecOut},
        errors=(*_NODE_ERRORS, "not_owner", "bad_stream_params", "engine_refused", "exec_cut_off"),
        operation_id="execInWorker",
    )
    async def execute(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        asked = exec_request(await read(ExecIn))
        return json_response(exec_out(await reach.exec(actor, org_id, project_id, worker_id, asked)))

    @routes.get("/logs")
    @operation(
        "Read the end of a worker's log",
        description=(
            'Plain text, or with `Accept: application/x-ndjson` one JSON object a line: `{"at", "stream", "line"}`, '
            "where `stream` is stdout or stderr. At most the newest 8 MiB. For the worker's owner, and for admins, "
            "whose looks are audited."
        ),
        query=LogsQuery,
        answers={200: (PLAIN_TEXT, JSON_LINES)},
        errors=(*_NODE_ERRORS, "not_owner", "node_answer_unreadable"),
    )
    async def logs(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        asked = query(LogsQuery)
        pieces = reach.logs(actor, org_id, project_id, worker_id, tail=asked.tail, since=asked.since)
        lines = await _newest(log_lines(pieces))
        if request.accept_mimetypes.best_match((PLAIN_TEXT, JSON_LINES)) == JSON_LINES:
            return Response(b"".join(json_bytes(asdict(line)) + b"\n" for line in lines), content_type=JSON_LINES)
        return Response(_plain(lines, timestamps=asked.timestamps), content_type=f"{PLAIN_TEXT}; charset=utf-8")

    @routes.get("/stats")
    @operation(
        "Measure what a worker uses",
        answers={200: StatsOut},
        errors=(*_NODE_ERRORS, "node_answer_missing", "node_answer_unreadable"),
    )
    async def stats(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        return json_response(stats_out(await reach.stats(actor, org_id, project_id, worker_id)))

    @routes.get("/git-status")
    @operation(
        "See the state of a worker's git repositories",
        answers={200: GitStatusOut},
        errors=(*_NODE_ERRORS, "not_owner", "engine_refused", "exec_cut_off"),
    )
    async def git_status(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        repositories = await reach.git_status(actor, org_id, project_id, worker_id)
        return json_response({"repos": [repository_out(each) for each in repositories]})

    @routes.get("/ports")
    @operation(
        "List the ports that a worker listens on",
        answers={200: PortsOut},
        errors=(*_NODE_ERRORS, "not_owner", "engine_refused", "exec_cut_off", "tool_missing"),
    )
    async def ports(actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId) -> Response:
        listeners = await reach.listening_ports(actor, org_id, project_id, worker_id)
        return json_response({"items": [listener_out(each) for each in listeners]})

    return routes


async def _newest(lines: AsyncIterator[LogLine]) -> Sequence[LogLine]:
    """The last lines that fit into 8 MiB, so that no log can fill the server's memory."""
    kept: deque[LogLine] = deque()
    kept_bytes = 0
    async for line in lines:
        kept.append(line)
        kept_bytes += len(line.line)
        while kept_bytes > MAX_LOG_BYTES:
            kept_bytes -= len(kept.popleft().line)
    return kept


def _plain(lines: Sequence[LogLine], *, timestamps: bool) -> str:
    return "".join(f"{each.at} {each.line}\n" if timestamps else f"{each.line}\n" for each in lines)
