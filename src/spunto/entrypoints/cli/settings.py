"""`spunto config`: every setting there is, of this command and of the server, with its present value."""

import importlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import typer

from spunto.core.kernel.errors import Invalid, SpuntoError
from spunto.entrypoints.cli import credentials
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.running import Json, run

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    name: str
    value: str
    meaning: str


@app.command()
def config(as_json: Json = False) -> None:
    """List all settings with their present values."""

    async def listed(out: Output) -> None:
        found = [*client_settings(os.environ), *server_settings()]
        columns = (
            ("SETTING", lambda setting: setting.name),
            ("VALUE", lambda setting: setting.value),
            ("MEANING", lambda setting: setting.meaning),
        )
        out.table(found, columns, wire=lambda s: {"name": s.name, "value": s.value, "meaning": s.meaning})

    run(listed, as_json=as_json)


def client_settings(env: Mapping[str, str]) -> Iterator[Setting]:
    saved = credentials.load(credentials.login_path(env))
    try:
        login = credentials.effective(env, saved)
        url, token, org = login.url, "***", login.org
    except SpuntoError:
        url, token, org = credentials.default_url(env), "", None
    yield Setting(name="SPUNTO_URL", value=url, meaning="the server that the command line talks to")
    yield Setting(name="SPUNTO_TOKEN", value=token, meaning="who you are there, in place of `spunto login`")
    yield Setting(
        name="SPUNTO_ORG", value=env.get("SPUNTO_ORG") or org or "", meaning="the organization that commands are about"
    )
    yield Setting(name="XDG_CONFIG_HOME", value=env.get("XDG_CONFIG_HOME", ""), meaning="where the login is kept")


def server_settings() -> Iterator[Setting]:
    """The server's own, where the server is installed."""
    try:
        # By name: what is only needed for a server may be missing where the command line is.
        settings_type = importlib.import_module("spunto.entrypoints.serving.settings").Settings
    except ModuleNotFoundError:
        return
    try:
        settings = settings_type()
    except ValueError as error:
        raise Invalid("invalid_settings", f"The server would refuse these settings: {error}") from error
    for name, field in settings_type.model_fields.items():
        value = getattr(settings, name)
        text = "" if value is None else value if isinstance(value, str) else json.dumps(value, default=str).strip('"')
        yield Setting(name=f"SPUNTO_{name.upper()}", value=_without_password(text), meaning=field.description or "")


def _without_password(text: str) -> str:
    return re.sub(r"(?<=://)([^:@/]*):.*@", r"\1:***@", text)
