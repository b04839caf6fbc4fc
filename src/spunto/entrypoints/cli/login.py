"""`spunto login`: by a token, or by a code for a browser; what the server agreed to is remembered."""

import os
import socket
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from spunto.client.auth import DeviceCode, IdentityOrganization
from spunto.client.client import SpuntoClient
from spunto.client.errors import NotAllowed, NotThere
from spunto.client.orgs import Organization
from spunto.core.kernel.errors import Invalid, Unauthenticated
from spunto.core.kernel.loopback import is_loopback
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.cli import credentials
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.running import Json, run

app = typer.Typer(add_completion=False)


@app.command()
def login(
    url: Annotated[
        str | None,
        typer.Option(
            envvar="SPUNTO_URL",
            help="The server; otherwise the box that `spunto up` runs here (SPUNTO_DATA_DIR, SPUNTO_PORT).",
        ),
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="A session's or a key's token. Others can see it while this runs.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="A file with the token, or - for stdin."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Sign in to a server, for the other commands.

    Without a token: as the owner of the box that `spunto up` runs here, or by a code that you type into a browser.
    """
    if token is not None and token_file is not None:
        raise typer.BadParameter("Give --token or --token-file, not both.")

    async def remember(out: Output) -> None:
        server_url = (url or credentials.default_url(os.environ)).rstrip("/")
        if not _is_private(server_url):
            out.note(f"warning: {server_url} is not encrypted; anybody on the way can read the token")
        own_box = url is None or credentials.is_box(os.environ, server_url)
        given = _given(token, token_file, own_box=own_box)
        secret = given or await _by_browser(out, server_url)
        async with SpuntoClient(server_url, secret) as client:
            organizations = await _organizations(client)
        path = credentials.login_path(os.environ)
        credentials.save(path, credentials.Login(url=server_url, token=secret, is_own=given is None))
        if out.as_json:
            out.json({"url": server_url, "organizations": [each.to_wire() for each in organizations]})
            return
        named = (each.name if isinstance(each, Organization) else each.id for each in organizations)
        names = ", ".join(named) or "none yet"
        out.text(f"Logged in to {server_url}. Organizations: {names}.\n")

    run(remember, as_json=as_json)


def _given(token: str | None, file: Path | None, *, own_box: bool) -> Secret | None:
    """The token that was handed over, or that lies where `spunto up` leaves it for this machine's own box."""
    if token is not None:
        return Secret(token.strip())
    if file is not None:
        return _token_in(file)
    owner = credentials.owner_token_path(os.environ)
    return _token_in(owner) if own_box and owner.exists() else None


async def _by_browser(out: Output, url: str) -> Secret:
    """Shows a code, and waits until a person has approved it in a browser. Any browser will do, on any machine."""
    async with SpuntoClient(url, "") as client:
        code = await begun(client)
        if out.as_json:
            shown = {"userCode": code.user_code, "verificationUri": code.verification_uri}
            out.json({**shown, "verificationUriComplete": code.verification_uri_complete})
        out.note(f"Open {code.verification_uri_complete}")
        out.note(f"and approve the code {code.user_code}. Waiting...")
        return Secret((await client.auth.wait_for_device(code)).token.get_secret_value())


async def begun(client: SpuntoClient) -> DeviceCode:
    """Raises NotAllowed where nobody could approve the code: that is a login refused, and nothing that is missing."""
    try:
        return await client.auth.begin_device(f"spunto {version('spunto')} on {socket.gethostname()}"[:100])
    except NotThere as refusal:
        raise NotAllowed(refusal.problem) from refusal


async def _organizations(client: SpuntoClient) -> Sequence[Organization | IdentityOrganization]:
    """Where the token is good; by id alone with a key that may not read organizations."""
    try:
        return [organization async for organization in client.orgs.iter_orgs()]
    except NotAllowed as refusal:
        if refusal.code != "missing_scope":
            raise
    return (await client.identity()).organizations


def _token_in(path: Path) -> Secret:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Unauthenticated("no_token", f"There is no {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("unreadable_token", f"Can't read {path}: {error}") from error
    if not text.strip():
        raise Invalid("unreadable_token", f"{path} is empty.")
    return Secret(text.strip())


def _is_private(url: str) -> bool:
    """Whether nobody between here and the server can read along."""
    try:
        address = urlsplit(url)
    except ValueError:
        return True  # The client says what is wrong with it.
    return address.scheme == "https" or is_loopback(address.hostname or "localhost")
