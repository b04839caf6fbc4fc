"""`spunto login`: says who you are, checks that the server agrees, and remembers it."""

import os
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from spunto.client.client import SpuntoClient
from spunto.core.kernel.errors import Invalid, Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.cli import credentials
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.running import Json, run

app = typer.Typer(add_completion=False)


@app.command()
def login(
    url: Annotated[
        str | None, typer.Option(envvar="SPUNTO_URL", help="The server; http://127.0.0.1:8000 otherwise.")
    ] = None,
    token: Annotated[str | None, typer.Option(help="A session token. Others can see it while this runs.")] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="A file with the token, or - for stdin; owner.token in the data directory otherwise."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a token with the server, and keep both for the other commands."""
    if token is not None and token_file is not None:
        raise typer.BadParameter("Give --token or --token-file, not both.")

    async def remember(out: Output) -> None:
        server_url = (url or credentials.default_url(os.environ)).rstrip("/")
        secret = Secret(token.strip()) if token is not None else _token_in(token_file)
        if not _is_private(server_url):
            out.note(f"warning: {server_url} is not encrypted; anybody on the way can read the token")
        async with SpuntoClient(server_url, secret) as client:
            organizations = [organization async for organization in client.orgs.iter_orgs()]
        path = credentials.login_path(os.environ)
        credentials.save(path, credentials.Login(url=server_url, token=secret))
        if out.as_json:
            out.json({"url": server_url, "organizations": [each.to_wire() for each in organizations]})
            return
        names = ", ".join(organization.name for organization in organizations) or "none yet"
        out.text(f"Logged in to {server_url}. Organizations: {names}.\n")

    run(remember, as_json=as_json)


def _token_in(file: Path | None) -> Secret:
    path = file or credentials.owner_token_path(os.environ)
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        hint = (
            ""
            if file is not None
            else " Give --token-file, or say with SPUNTO_DATA_DIR where `spunto up` keeps its data."
        )
        raise Unauthenticated("no_token", f"There is no {path}.{hint}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("unreadable_token", f"Can't read {path}: {error}") from error
    if not text.strip():
        raise Invalid("unreadable_token", f"{path} is empty.")
    return Secret(text.strip())


def _is_private(url: str) -> bool:
    """Whether nobody between here and the server can read along."""
    address = urlsplit(url)
    if address.scheme == "https" or address.hostname in (None, "localhost"):
        return True
    try:
        return ip_address(address.hostname).is_loopback
    except ValueError:
        return False
