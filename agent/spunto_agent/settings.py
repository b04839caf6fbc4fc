"""What the node's owner sets: environment over file over defaults. The server can change none of it."""

import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo

from spunto.core.executor.policy import Limits, Policy
from spunto.core.executor.settings import CONCURRENT_STARTS, DEFAULT_SUBNET_POOL
from spunto.core.executor.streams.tcp import TcpLimits
from spunto.core.kernel.loopback import programs_url
from spunto.core.kernel.secret import Secret
from spunto.core.specs.token import node_of_token
from spunto.core.specs.worker import KIND
from spunto_agent.firewall import Egress

PREFIX = "SPUNTO_AGENT_"
FILE = Path("/etc/spunto/agent.toml")
_CONNECT_PATH = "/api/agent/connect"
_TOKENS = frozenset({"token", "token_file"})


class SettingsError(Exception):
    """The settings can't be used; the message says which and why, one a line."""


def _pairs(value: object) -> object:
    """`key=value,key=value` as the environment writes a mapping."""
    if not isinstance(value, str):
        return value
    pairs = (pair.partition("=") for pair in value.split(",") if pair.strip())
    return {key.strip(): text.strip() for key, _, text in pairs}


def _listed(value: object) -> object:
    """`one,other` as the environment writes a list."""
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


class AgentSettings(BaseModel):
    """One field a setting: `SPUNTO_AGENT_SERVER_URL`, or `server_url` in the file. `None` is no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    server_url: str = Field(
        description="where the server is, such as https://spunto.example.org, or unix:/path/of/its/socket"
    )
    token: SecretStr | None = Field(default=None, description="the node's token")
    token_file: Path | None = Field(default=None, description="or the file that it is in")
    data_dir: Path = Field(default=Path("/var/lib/spunto-agent"), description="where the agent keeps its journal")
    engine: str = Field(default="auto", description="auto, docker, podman, or what an installed package brings")
    engine_url: str | None = Field(default=None, description="the engine's socket; default: the usual places")
    labels: Annotated[dict[str, str], BeforeValidator(_pairs)] = Field(
        default_factory=dict, description="key=value,key=value, which projects may ask for"
    )
    subnet_pool: IPv4Network = Field(default=DEFAULT_SUBNET_POOL, description="where workers' networks are taken from")
    cpu_overcommit: float = Field(
        default=4.0, ge=1.0, le=64.0, description="how many times the machine's CPUs are offered to workers"
    )
    memory_reserve_bytes: int = Field(
        default=256 * 1024 * 1024, ge=0, description="memory that is offered to no worker"
    )
    max_workers: int | None = Field(default=None, ge=0, description="workers at most")
    max_worker_cpu_millis: int | None = Field(default=None, ge=1, description="thousandths of a CPU a worker at most")
    max_worker_memory_bytes: int | None = Field(default=None, ge=1, description="memory a worker at most")
    max_worker_pids: int | None = Field(default=None, ge=1, description="processes a worker at most")
    max_worker_disk_bytes: int = Field(
        default=20 * 1024**3, ge=0, description="disk a worker takes at most before it is stopped; 0: no limit"
    )
    disk_reserve_bytes: int | None = Field(
        default=None,
        ge=0,
        description="disk left to the machine: with less free, no new workers; none: a twentieth, 2 GiB at most",
    )
    egress: Egress = Field(default="block-private", description="what workers reach: block-private, or open")
    edge_hosts: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default_factory=list,
        description="hosts of edges beside the server's and those below it: edge.example.org,*.edges.example.org",
    )
    max_worker_connections: int = Field(default=1024, ge=0, description="connections to a worker's ports at most")
    max_connections: int = Field(default=8192, ge=0, description="connections to ports of all workers at most")
    max_idle_seconds: int = Field(
        default=600, ge=0, description="how long a connection to a port may move nothing; 0: for ever"
    )
    concurrent_starts: int = Field(default=CONCURRENT_STARTS, ge=1, le=256, description="containers started at once")
    starts_holder: bool = Field(
        default=True, description="start the process that holds terminals where nobody else keeps it running"
    )
    log_format: Literal["auto", "json", "console"] = Field(default="auto", description="auto: console on a terminal")

    @model_validator(mode="after")
    def _fits_together(self) -> "AgentSettings":
        if (self.token is None) == (self.token_file is None):
            raise ValueError("give either token or token_file")
        if urlsplit(self.server_url).scheme not in ("http", "https", "ws", "wss", "unix"):
            raise ValueError("server_url must begin with https:// (http:// or unix: for a server on this machine)")
        if self.subnet_pool.prefixlen > 24:
            raise ValueError("subnet_pool must be a /24 or larger: each worker takes a /28 of it")
        return self

    @property
    def connect_url(self) -> str:
        """Where the agent dials."""
        parts = urlsplit(programs_url(self.server_url))
        if parts.scheme == "unix":
            return f"ws://localhost{_CONNECT_PATH}"
        scheme = "wss" if parts.scheme in ("https", "wss") else "ws"
        return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}{_CONNECT_PATH}"

    @property
    def socket_path(self) -> str | None:
        """Where to dial instead of the URL's host: the Unix socket of a server on this machine."""
        parts = urlsplit(self.server_url)
        return parts.path if parts.scheme == "unix" else None

    @property
    def policy(self) -> Policy:
        workers = Limits(
            max_count=self.max_workers,
            max_cpu_millis=self.max_worker_cpu_millis,
            max_memory_bytes=self.max_worker_memory_bytes,
            max_pids=self.max_worker_pids,
            max_disk_bytes=self.max_worker_disk_bytes or None,
        )
        return Policy(limits={KIND: workers})

    @property
    def tcp_limits(self) -> TcpLimits:
        return TcpLimits(
            per_subject=self.max_worker_connections,
            per_node=self.max_connections,
            idle_seconds=self.max_idle_seconds or None,
        )

    def read_token(self) -> Secret:
        """The node's token. Raises SettingsError."""
        if self.token is not None:
            return Secret(self.token.get_secret_value().strip())
        try:
            return Secret((self.token_file or Path()).read_text().strip())
        except OSError as error:
            raise SettingsError(f"token_file can't be read: {error}") from error


def node_id_of(token: Secret) -> str:
    """The node that the token is for. Raises SettingsError for what is no token."""
    node_id = node_of_token(token)
    if node_id is None:
        raise SettingsError("The token is not a node's token (spn_...), or was not copied whole.")
    return node_id


def load(environment: Mapping[str, str], *, file: Path = FILE) -> AgentSettings:
    """The settings of this machine. Raises SettingsError."""
    values: dict[str, Any] = {}
    try:
        if file.exists():
            values = tomllib.loads(file.read_text())
        said = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environment.items()
            if name.startswith(PREFIX) and value
        }
        if said.keys() & _TOKENS:
            # They are two ways to say one thing, so that the file's way gives way as well.
            values = {name: value for name, value in values.items() if name not in _TOKENS}
        values |= said
        return AgentSettings.model_validate(values)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from error
    except ValidationError as error:
        raise SettingsError("\n".join(map(_line, error.errors(include_input=False, include_url=False)))) from error


def help_text() -> str:
    """Every setting with its default, one a line."""
    lines = [
        f"  {PREFIX}{name.upper()}  {field.description} ({_default_of(field)})"
        for name, field in AgentSettings.model_fields.items()
    ]
    return "\n".join([f"settings, in {FILE} by the ends of their names in lower case (server_url):", *lines])


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    return "none" if default in (None, {}, []) else str(default)


def _line(error: Any) -> str:
    if not error["loc"]:
        return f"{error['msg']} ({PREFIX}... or {FILE})"
    name = ".".join(str(part) for part in error["loc"])
    return f"{name}: {error['msg']} (set {PREFIX}{name.upper()} or write it in {FILE})"
