"""How commands, logs, figures, git status and listening ports of a worker look over HTTP."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from spunto.core.routes.desired import Sharing
from spunto.core.workers.answers import unreadable
from spunto.core.workers.git_status import Repository, UnreadRepository
from spunto.core.workers.listening import OpenPort
from spunto.core.workers.reach import ExecRequest
from spunto.core.workers.transcript import ExecResult
from spunto.entrypoints.http.requests import In, Query

Argument = Annotated[str, StringConstraints(max_length=64 * 1024)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
MAX_COMMAND_BYTES: Final = 128 * 1024
MAX_STDIN_BYTES: Final = 512 * 1024
Encoding = Literal["utf8", "base64"]


class ExecIn(In):
    """`command` as a list is run as it is, as a text by `sh -c`. `stdin`, and the answer's `stdout` and `stderr`, are
    text, or with `encoding` base64 any bytes; at most 512 KiB go in."""

    command: (
        Annotated[list[Argument], Field(min_length=1, max_length=1000)]
        | Annotated[str, StringConstraints(min_length=1, max_length=64 * 1024)]
    )
    cwd: Annotated[str, StringConstraints(pattern=r"^/", max_length=4096)] | None = None
    env: Annotated[dict[VariableName, Argument], Field(max_length=200)] = Field(default_factory=dict)
    stdin: Annotated[str, StringConstraints(max_length=(MAX_STDIN_BYTES + 2) // 3 * 4)] = ""
    encoding: Encoding = "utf8"
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 60.0
    user: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_][a-z0-9_.:-]{0,63}$")] | None = None

    @model_validator(mode="after")
    def _stdin_can_be_sent(self) -> Self:
        if len(self.input) > MAX_STDIN_BYTES:
            raise PydanticCustomError("stdin", "stdin holds at most {limit} bytes", {"limit": MAX_STDIN_BYTES})
        return self

    @property
    def input(self) -> bytes:
        """Raises ValueError."""
        return b64decode(self.stdin, validate=True) if self.encoding == "base64" else self.stdin.encode()

    @model_validator(mode="after")
    def _fits_a_frame(self) -> Self:
        texts = (
            (self.command, *self.env.values()) if isinstance(self.command, str) else (*self.command, *self.env.values())
        )
        if sum(len(text.encode()) for text in texts) > MAX_COMMAND_BYTES:
            told = "command and env hold at most {limit} bytes together; send more as stdin"
            raise PydanticCustomError("command", told, {"limit": MAX_COMMAND_BYTES})
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
        stdin=asked.input,
        timeout_seconds=asked.timeout_seconds,
    )


class ExecOut(TypedDict):
    """How the command ended: 127 for one that is not there, 126 for one that can't be run, 124 for one that timed out.
    `truncated` where it said more than the first and the last 512 KiB of an output, which are kept; a line in between
    says how much is missing."""

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
    """`ahead` and `behind` against the upstream, null without one; `unpushed` are the commits of all local branches and
    of what is checked out that are on no remote. `untracked` counts files."""

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


class GitTroubleOut(TypedDict):
    """A repository whose state is not known; it may hold work that is nowhere else."""

    path: str
    error: str


class GitStatusOut(TypedDict):
    """`truncated` where there may be repositories that are not listed."""

    repos: list[GitRepositoryOut | GitTroubleOut]
    truncated: bool


class PortOut(TypedDict):
    """What listens, where it is reached from outside, and by whom beside the worker's owner."""

    port: int
    address: str
    process: str | None
    url: str
    sharing: Sharing


class PortsOut(TypedDict):
    items: list[PortOut]


def exec_out(result: ExecResult, *, encoding: Encoding) -> ExecOut:
    return {
        "exitCode": result.exit_code,
        "stdout": _encoded(result.stdout, encoding),
        "stderr": _encoded(result.stderr, encoding),
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


def repository_out(repository: Repository | UnreadRepository) -> GitRepositoryOut | GitTroubleOut:
    if isinstance(repository, UnreadRepository):
        return {"path": repository.path, "error": repository.error}
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


def port_out(found: OpenPort) -> PortOut:
    return {
        "port": found.listener.port,
        "address": found.listener.address,
        "process": found.listener.process,
        "url": found.url,
        "sharing": found.sharing,
    }


def _encoded(output: bytes, encoding: Encoding) -> str:
    return b64encode(output).decode() if encoding == "base64" else output.decode(errors="replace")


_STATS: Final = TypeAdapter(StatsOut)
