"""`spunto config`: every setting there is, of this command and each process, with its value and its source."""

import importlib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from spunto.core.kernel.errors import Invalid, SpuntoError
from spunto.entrypoints.cli import credentials
from spunto.entrypoints.cli.edge import TRACE
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.running import Json, run

app = typer.Typer(add_completion=False)

_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD)\Z")
_OWN = (
    ("SPUNTO_ENGINE", "auto", "which engine `spunto up` runs workers on: auto, docker or podman"),
    ("SPUNTO_CONFIG", "/etc/spunto/server.toml", "the file with the server's settings"),
    (TRACE, "", "anything: show where in the program a bug lies"),
    ("XDG_CONFIG_HOME", "~/.config", "where the login is kept"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`source` is `environment`, `default`, `login`, or the path of the file that says it."""

    name: str
    value: str
    source: str
    meaning: str


@app.command()
def config(as_json: Json = False) -> None:
    """List all settings with their values and where these come from.

    They are the command line's, the server's, the edge's and the agent's.
    """

    async def listed(out: Output) -> None:
        of_processes = (server_settings, edge_settings, agent_settings)
        found = [*client_settings(os.environ), *(each for found in of_processes for each in found(os.environ))]
        columns = (
            ("SETTING", lambda setting: setting.name),
            ("VALUE", lambda setting: setting.value),
            ("SOURCE", lambda setting: setting.source),
            ("MEANING", lambda setting: setting.meaning),
        )
        out.table(
            found,
            columns,
            wire=lambda s: {"name": s.name, "value": s.value, "source": s.source, "meaning": s.meaning},
        )

    run(listed, as_json=as_json)


def client_settings(env: Mapping[str, str]) -> Iterator[Setting]:
    saved = credentials.load(credentials.login_path(env))
    try:
        login = credentials.effective(env, saved)
        url, token, org = login.url, "***", login.org
    except SpuntoError:
        url, token, org = credentials.default_url(env), "", None
    is_saved = saved is not None and saved.url == url
    chosen = env.get("SPUNTO_ORG") or org or ""
    for name, value, is_of_login, meaning in (
        ("SPUNTO_URL", url, is_saved, "the server that the command line talks to"),
        ("SPUNTO_TOKEN", token, is_saved, "who you are there, in place of `spunto login`"),
        ("SPUNTO_ORG", chosen, is_saved and bool(org), "the organization that commands are about"),
    ):
        source = "environment" if env.get(name) else "login" if is_of_login else "default"
        yield Setting(name=name, value=value, source=source, meaning=meaning)
    for name, default, meaning in _OWN:
        source = "environment" if env.get(name) else "default"
        yield Setting(name=name, value=env.get(name) or default, source=source, meaning=meaning)


def server_settings(env: Mapping[str, str]) -> Iterator[Setting]:
    """The server's own, where the server is installed."""
    module = _installed("spunto.entrypoints.serving.settings")
    if module is not None:
        file = Path(env.get("SPUNTO_CONFIG") or module.CONFIG_FILE)
        yield from _checked(module.Settings, "server", prefix="SPUNTO_", env=env, file=file)


def edge_settings(env: Mapping[str, str]) -> Iterator[Setting]:
    """The edge's, where the edge is installed."""
    module = _installed("spunto.entrypoints.edge.settings")
    if module is not None:
        yield from _checked(module.EdgeSettings, "edge", prefix="SPUNTO_EDGE_", env=env, file=module.CONFIG_FILE)


def _installed(name: str) -> ModuleType | None:
    """By name: what is only needed for a server or an edge may be missing where the command line is."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


def _checked(model: Any, what: str, *, prefix: str, env: Mapping[str, str], file: Path) -> Iterator[Setting]:
    """Raises Invalid for what the process would refuse."""
    try:
        settings = model()
    except ValueError as error:
        raise Invalid("invalid_settings", f"The {what} would refuse these settings: {error}") from error
    written = _written(file)
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        yield Setting(
            name=variable,
            value=_shown(variable, getattr(settings, name)),
            source=_source(variable, name, env, written, file),
            meaning=field.description or "",
        )


def agent_settings(env: Mapping[str, str]) -> Iterator[Setting]:
    """The agent's, as an agent that is started here by itself would have them."""
    # By name, because Spunto never imports its agent.
    module = importlib.import_module("spunto_agent.settings")
    written = _written(module.FILE)
    for name, field in module.AgentSettings.model_fields.items():
        variable = f"{module.PREFIX}{name.upper()}"
        value = env.get(variable) or written.get(name)
        if value is None and not field.is_required():
            value = field.get_default(call_default_factory=True)
        yield Setting(
            name=variable,
            value=_shown(variable, value),
            source=_source(variable, name, env, written, module.FILE),
            meaning=field.description or "",
        )


def _written(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid("invalid_settings", f"{file} is not TOML: {error}") from error


def _source(variable: str, name: str, env: Mapping[str, str], written: Mapping[str, Any], file: Path) -> str:
    if env.get(variable):
        return "environment"
    return str(file) if name in written else "default"


def _shown(variable: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if _SECRET.search(variable):
        return "***"
    text = value if isinstance(value, str) else json.dumps(value, default=str).strip('"')
    return _without_password(text)


def _without_password(text: str) -> str:
    return re.sub(r"(?<=://)([^:@/]*):.*@", r"\1:***@", text)
