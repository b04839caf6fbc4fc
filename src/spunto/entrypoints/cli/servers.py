"""`spunto up | serve | agent | db | edge | keys`: thin doors to programs that the command line itself does not load.

They are found by name, because a door must not know the others, and `spunto` never imports its agent.
"""

import importlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from spunto.entrypoints.cli.programs import become, become_agent, require


class Engine(StrEnum):
    AUTO = "auto"
    DOCKER = "docker"
    PODMAN = "podman"


def up(
    host: Annotated[str, typer.Option(envvar="SPUNTO_HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="SPUNTO_PORT", min=1, max=65535)] = 8000,
    data_dir: Annotated[Path, typer.Option(envvar="SPUNTO_DATA_DIR")] = Path(".spunto"),
    engine: Annotated[Engine, typer.Option(envvar="SPUNTO_ENGINE")] = Engine.AUTO,
    demo: Annotated[bool, typer.Option("--demo", help="With a project and a worker to begin with.")] = False,
) -> None:
    """Run everything on this machine: server, edge, agent and database."""
    require("httptools", "aiodocker", "picows", "podman")
    run = _entry_point("spunto.entrypoints.box.up", "run")
    raise typer.Exit(run(host=host, port=port, data_dir=data_dir, engine=engine.value, demo=demo))


def serve() -> None:
    """Run a server for remote agents; `spunto config` lists its settings."""
    raise typer.Exit(_entry_point("spunto.entrypoints.serve", "run")())


def agent(context: typer.Context) -> None:
    """Run the agent that a node needs; takes the agent's own options."""
    become_agent(context.args)


def worker_image(context: typer.Context) -> None:
    """Build the default worker image for this machine's engine, where it has none; see its own --help."""
    become("spunto_agent.worker_image", context.args)


def openapi() -> None:
    """Print the OpenAPI document of this version."""
    raise typer.Exit(_entry_point("spunto.entrypoints.describing", "run")())


DatabaseUrl = Annotated[str | None, typer.Option(help="Database URL; the server's setting otherwise.")]


def upgrade(url: DatabaseUrl = None) -> None:
    """Bring the database to the revision that this version needs."""
    raise typer.Exit(_entry_point("spunto.entrypoints.db", "upgrade")(url))


def owner_token(url: DatabaseUrl = None) -> None:
    """Print a token for `spunto login`, good for a week, of the first owner, who is made where there is none yet."""
    raise typer.Exit(_entry_point("spunto.entrypoints.db", "owner_token")(url))


def sign_in_link(url: DatabaseUrl = None) -> None:
    """Print an address that signs a browser in as the first owner, once and within 10 minutes."""
    raise typer.Exit(_entry_point("spunto.entrypoints.db", "sign_in_link")(url))


def restored(url: DatabaseUrl = None) -> None:
    """Say that the database was restored from a backup, before a server starts on it again."""
    raise typer.Exit(_entry_point("spunto.entrypoints.db", "restored")(url))


def generate_keys() -> None:
    """Make the keyring with its first key, where SPUNTO_KEYRING says or in the data directory."""
    raise typer.Exit(_entry_point("spunto.entrypoints.keys", "generate")())


def rotate_keys(url: DatabaseUrl = None) -> None:
    """Add a new key and wrap all secrets with it, while servers run; or end a rotation that was broken off."""
    raise typer.Exit(_entry_point("spunto.entrypoints.keys", "rotate")(url))


def key_status(url: DatabaseUrl = None) -> None:
    """Print each key with the number of secrets that it wraps."""
    raise typer.Exit(_entry_point("spunto.entrypoints.keys", "status")(url))


def edge(context: typer.Context) -> None:
    """Run an edge, the front door of workers' ports; or tell the servers of one.

    Without a command it serves until SIGTERM, by the settings below.
    """
    if context.invoked_subcommand is None:
        require("httptools", "picows", "pydantic_settings", "uvloop", "websockets")
        become("spunto.entrypoints.edge.main", [])


def edge_settings() -> str | None:
    """A line for each, where an edge is installed."""
    try:
        settings = _entry_point("spunto.entrypoints.edge.settings", "EdgeSettings")
    except ModuleNotFoundError:
        return None
    fields = settings.model_fields.items()
    told = (f"SPUNTO_EDGE_{name.upper()}: {field.description}{_default_of(field.default)}" for name, field in fields)
    # A blank line between two keeps them apart, and is not shown.
    return "\n\n".join(["Settings:", *told])


def _default_of(value: Any) -> str:
    """Nothing where nothing is set, or the setting's sentence tells what stands in for it."""
    return "" if value in (None, ()) else f"; default: {value:g}" if isinstance(value, float) else f"; default: {value}"


EdgeName = Annotated[str, typer.Argument(metavar="NAME", help="The edge's name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and errors as JSON on stderr.")]


def create_edge(name: EdgeName, url: DatabaseUrl = None, as_json: Json = False) -> None:
    """Register an edge and print its token, which is not shown again."""
    _entry_point("spunto.entrypoints.edges", "create")(name, url, as_json=as_json)


def list_edges(url: DatabaseUrl = None, as_json: Json = False) -> None:
    """Print each edge with whether it is connected."""
    _entry_point("spunto.entrypoints.edges", "list_all")(url, as_json=as_json)


def remove_edge(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The edge's name or id.")],
    url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Have an edge's token end at once, and its connection within seconds."""
    _entry_point("spunto.entrypoints.edges", "remove")(name, url, as_json=as_json)


def _entry_point(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
