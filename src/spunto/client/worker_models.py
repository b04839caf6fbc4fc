"""What the server answers about workers."""

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import Field, field_validator

from spunto.client.wire import Failure, WireModel


class Explanation(WireModel):
    """Why a worker is as it is: what is wanted, what was seen, what blocks since when, what happens next and when."""

    wanted: str | None = None
    wanted_since: datetime | None = None
    generation: int | None = None
    observed: Mapping[str, Any] | None = None
    blocking: str | None = None
    since: datetime | None = None
    next: str | None = None
    next_at: datetime | None = None


class LastActivity(WireModel):
    """When somebody used it last, to the minute, and how."""

    at: datetime
    source: str = ""


class WorkerUrls(WireModel):
    """`code` leads to port 8080, where the browser's editor belongs; `port` to any port, with `{port}` in its place."""

    code: str = ""
    port: str = ""

    def of_port(self, port: int) -> str:
        return self.port.replace("{port}", str(port))


class SetupStatus(WireModel):
    phase: str = ""
    started_at: datetime | None = None
    repos: tuple[Any, ...] = ()
    post_create: Any = None
    post_start: Any = None
    error: Any = None
    timings: Mapping[str, Any] | None = None


class WorkerRef(NamedTuple):
    """Where a worker is found; a `Worker` is one too."""

    org_id: str
    project_id: str
    id: str


class Worker(WireModel):
    id: str
    org_id: str
    project_id: str
    user_id: str | None = None
    api_key_id: str | None = None
    index: int = 0
    name: str
    state: str
    setup_status: SetupStatus | None = None
    docker_state: str = "unknown"
    project_version: int = 0
    outdated: bool = False
    node_id: str | None = None
    container_id: str | None = None
    urls: WorkerUrls | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = {}
    last_activity: LastActivity | None = None
    idle_timeout_seconds: int | None = None
    kept_until: datetime | None = None
    stops_at: datetime | None = None
    stop_reason: str | None = None
    error: Failure | None = None
    created_at: datetime
    stopped_at: datetime | None = None
    destroyed_at: datetime | None = None
    explanation: Explanation | None = None


class AskedWorker(WireModel):
    """One of many that were asked for at once: its state now, and with `error` that it was refused and is as it was."""

    id: str
    name: str
    state: str
    error: Failure | None = None


class Stats(WireModel):
    cpu_percent: float
    memory_bytes: int
    memory_limit_bytes: int | None = None
    pids: int | None = None
    network_rx_bytes: int = 0
    network_tx_bytes: int = 0
    block_read_bytes: int = 0
    block_write_bytes: int = 0
    sampled_at: datetime


class ExecResult(WireModel):
    """How a command ended. `stdout` and `stderr` are what it said as text, `stdout_bytes` and `stderr_bytes` as it is.

    Of each, the first and the last 512 KiB; `truncated` where that was not all.
    """

    exit_code: int
    stdout_bytes: bytes = Field(default=b"", alias="stdout")
    stderr_bytes: bytes = Field(default=b"", alias="stderr")
    truncated: bool = False
    timed_out: bool = False
    duration_ms: int = 0

    @field_validator("stdout_bytes", "stderr_bytes", mode="before")
    @classmethod
    def _decoded(cls, value: str | bytes) -> bytes:
        return value if isinstance(value, bytes) else b64decode(value)

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self.stderr_bytes.decode(errors="replace")


class Repository(WireModel):
    """A git work tree inside a worker. One with an `error` could not be read: nothing else is known of it."""

    path: str
    branch: str | None = None
    head: str | None = None
    ahead: int | None = None
    behind: int | None = None
    staged: int | None = None
    modified: int | None = None
    untracked: int | None = None
    unpushed: int | None = None
    stashed: int | None = None
    error: str | None = None


class GitStatus(WireModel):
    """`truncated` where there may be repositories that are not listed."""

    repos: tuple[Repository, ...] = ()
    truncated: bool


class Port(WireModel):
    port: int
    address: str = ""
    process: str | None = None
    url: str = ""
    sharing: str = "owner"


class TerminalSession(WireModel):
    """A terminal whose shell goes on. `left_seconds` is for how long nobody has looked at it."""

    session: str
    name: str | None = None
    cols: int
    rows: int
    viewers: int = 0
    started_at: datetime
    left_seconds: float | None = None
