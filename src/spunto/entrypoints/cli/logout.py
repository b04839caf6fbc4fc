"""`spunto logout`: forgets the login, and ends the session that was made for it."""

import os
from typing import Annotated

import typer

from spunto.client.client import SpuntoClient
from spunto.client.errors import BadCredential
from spunto.core.kernel.errors import Unauthenticated
from spunto.entrypoints.cli import credentials
from spunto.entrypoints.cli.credentials import Login
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.running import Json, run

app = typer.Typer(add_completion=False)


@app.command()
def logout(
    everywhere: Annotated[bool, typer.Option("--everywhere", help="End your sessions on all devices too.")] = False,
    as_json: Json = False,
) -> None:
    """Forget the saved login, and end its session."""

    async def forget(out: Output) -> None:
        path = credentials.login_path(os.environ)
        saved = credentials.load(path)
        if saved is None:
            raise Unauthenticated("not_logged_in", "There is no saved login.")
        try:
            # A token that was handed over, such as the owner's, goes on being good for whoever else has it.
            if everywhere or saved.is_own:
                await _end(saved, everywhere=everywhere)
        finally:
            credentials.forget(path, saved)
        if out.as_json:
            out.json({"url": saved.url})
            return
        out.text(f"Logged out of {saved.url}.\n")

    run(forget, as_json=as_json)


async def _end(saved: Login, *, everywhere: bool) -> None:
    async with SpuntoClient(saved.url, saved.token) as client:
        try:
            await client.auth.sign_out(everywhere=everywhere)
        except BadCredential:
            return  # It was over already.
