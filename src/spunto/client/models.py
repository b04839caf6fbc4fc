"""What the server answers, as frozen values. Fields that this client doesn't know yet are kept, not refused."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """snake_case here, camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="allow")

    def to_wire(self) -> dict[str, Any]:
        """What the server said, and as it said it: camelCase, times in RFC 3339."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class DeviceCode(WireModel):
    """What a terminal is signed in by: the one code is its own, the other one a person's."""

    device_code: SecretStr
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    interval_seconds: int = 5
    expires_in_seconds: int = 600


class SignedIn(WireModel):
    token: SecretStr
    expires_at: datetime


class FieldError(WireModel):
    """One wrong field of a request; `pointer` is a JSON pointer into its body."""

    pointer: str = ""
    message: str = ""


class Problem(WireModel):
    """RFC 9457, with a stable `code`."""

    type: str = "about:blank"
    code: str
    title: str = ""
    status: int
    detail: str = ""
    instance: str | None = None
    request_id: str | None = None
    errors: tuple[FieldError, ...] = ()


class Failure(WireModel):
    """What is wrong with a thing, for people (`message`) and programs (`code`)."""

    code: str = ""
    message: str = ""


class Organization(WireModel):
    id: str
    name: str
    slug: str
    role: str = ""
    created_at: datetime


class Member(WireModel):
    user_id: str
    name: str = ""
    email: str = ""
    role: str
    joined_at: datetime


class User(WireModel):
    """Somebody's own settings."""

    id: str
    name: str
    email: str = ""
    dotfiles_repo: str | None = None
    created_at: datetime


class UserSecret(WireModel):
    """A secret without its value, which is never told."""

    id: str
    name: str
    updated_at: datetime


class SshKey(WireModel):
    id: str
    name: str
    type: str = ""
    public_key: str = ""
    fingerprint: str
    created_at: datetime


class Invitation(WireModel):
    """`mail` is `pending`, `sent`, `logged` where the server mails nothing, or `refused` by the mail server."""

    id: str
    email: str
    role: str
    invited_by: str = ""
    mail: str = ""
    created_at: datetime
    expires_at: datetime


class MadeInvitation(Invitation):
    """With its link, shown this once."""

    url: SecretStr

    @field_serializer("url", when_used="json")
    def _revealed(self, url: SecretStr) -> str:
        return url.get_secret_value()


class IdentityOrganization(WireModel):
    id: str
    role: str


class Identity(WireModel):
    """Whom a token stands for. `scopes` is None for a session, which may do all that its user may."""

    kind: str
    user_id: str | None = None
    api_key_id: str | None = None
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    organizations: tuple[IdentityOrganization, ...] = ()


class ApiKey(WireModel):
    """`prefix` is its token's beginning, by which people tell keys apart."""

    id: str
    name: str
    owner_type: str
    user_id: str | None = None
    created_by: str | None = None
    scopes: tuple[str, ...]
    prefix: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class ApiKeyWithToken(ApiKey):
    """A new key; its token is shown once, never again."""

    token: SecretStr

    @field_serializer("token", when_used="json")
    def _reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


class Agent(WireModel):
    """What a node's agent said of itself and its engine; `engine_error` while the engine is away."""

    version: str = ""
    engine: str = ""
    engine_version: str = ""
    engine_error: Failure | None = None
    posture: Mapping[str, Any] = Field(default_factory=dict)


class Node(WireModel):
    """`cpus` and `memory_bytes` are what it offers; None until its agent has connected."""

    id: str
    org_id: str
    name: str
    status: str
    draining: bool = False
    labels: Mapping[str, str] = Field(default_factory=dict)
    cpus: float | None = None
    memory_bytes: int | None = None
    reserved_cpus: float = 0
    reserved_memory_bytes: int = 0
    workers: int = 0
    agent: Agent | None = None
    error: Failure | None = None
    connection_changed_at: datetime | None = None
    created_at: datetime


class NodeCredentials(WireModel):
    """A node with its one-time token, and two ways to install its agent with it. Shown once, never again."""

    node: Node
    token: SecretStr
    install_command: str = Field(default="", repr=False)
    cloud_init: str = Field(default="", repr=False)

    @field_serializer("token", when_used="json")
    def _reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


class InventoryItem(WireModel):
    """A container on a node; `known` is `expected`, `orphan` or `quarantined`."""

    container_id: str
    name: str = ""
    kind: str | None = None
    id: str | None = None
    generation: int | None = None
    docker_state: str = "unknown"
    known: str


class Inventory(WireModel):
    sampled_at: datetime | None = None
    engine: Any = None
    items: tuple[InventoryItem, ...] = ()


class ProjectSettings(WireModel):
    """What a worker is made from."""

    image: str
    env: Mapping[str, str] = Field(default_factory=dict)
    cpus: float | None = None
    memory_bytes: int | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    post_create_command: str | None = None
    post_start_command: str | None = None
    secrets: tuple[str, ...] = ()


class Project(ProjectSettings):
    id: str
    org_id: str
    name: str
    description: str = ""
    version: int
    state: str = ""
    created_at: datetime
    updated_at: datetime | None = None


class ProjectVersion(ProjectSettings):
    """One immutable version of a project; a restored one names the version that it copies."""

    project_id: str
    version: int
    created_at: datetime
    made_by: str | None = None
    restored_from: int | None = None


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


class WorkerUrls(WireModel):
    code: str | None = None
    ssh: str | None = None


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
    branch: str | None = None
    node_id: str | None = None
    container_id: str | None = None
    tags: Any = None
    urls: WorkerUrls | None = None
    last_activity: datetime | None = None
    stops_at: datetime | None = None
    error: Failure | None = None
    created_at: datetime
    stopped_at: datetime | None = None
    explanation: Explanation | None = None


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
    exit_code: int
    stdout: str = ""
    stderr: str = ""
    truncated: bool = False
    timed_out: bool = False
    duration_ms: int = 0


class Repository(WireModel):
    """A git work tree inside a worker."""

    path: str
    branch: str | None = None
    head: str | None = None
    ahead: int | None = None
    behind: int | None = None
    staged: int = 0
    modified: int = 0
    untracked: int = 0
    unpushed: int | None = None
    stashed: int = 0


class Port(WireModel):
    port: int
    address: str = ""
    process: str | None = None
    url: str | None = None
    sharing: str | None = None


class LogLine(WireModel):
    at: datetime | None = None
    stream: str = "stdout"
    line: str


class Health(NamedTuple):
    """`is_alive`: the process answers. `is_ready`: it can do its work; `reason` says why not."""

    is_alive: bool
    is_ready: bool
    reason: str | None
