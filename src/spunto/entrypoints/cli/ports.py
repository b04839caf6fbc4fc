"""`spunto worker open | share | keep-alive`: a worker's ports, who reaches them, and that it goes on."""

import sys
import webbrowser
from enum import StrEnum
from typing import Annotated, Final

import typer

from spunto.entrypoints.cli import workers
from spunto.entrypoints.cli.options import WorkerArgument
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session
from spunto.entrypoints.cli.worker_fields import worker_fields

PortArgument = Annotated[int, typer.Argument(min=1, max=65535, metavar="PORT")]


app: Final = workers.app


class With(StrEnum):
    """Whom a port is shared with."""

    OWNER = "owner"
    ORG = "org"
    PUBLIC = "public"


@command(app, "open")
async def open_port(
    session: Session,
    worker: WorkerArgument,
    port: Annotated[
        int | None, typer.Argument(min=1, max=65535, metavar="[PORT]", help="8080, where an editor belongs.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Print the address of a worker's port, and open it in the browser where there is one."""
    found = await session.worker(worker)
    full = await session.client.workers.get(found)
    if full.urls is None:
        raise typer.BadParameter("This server does not say where its workers are reached; update it.")
    url = full.urls.code if port is None else full.urls.of_port(port)
    if session.out.as_json:
        session.out.json({"url": url})
        return
    session.out.text(f"{url}\n")
    if not no_browser and sys.stdout.isatty():
        webbrowser.open(url)


@command(app)
async def share(
    session: Session,
    worker: WorkerArgument,
    port: PortArgument,
    whom: Annotated[With | None, typer.Argument(metavar="[owner|org|public]", show_default=False)] = None,
    link: Annotated[bool, typer.Option("--link", help="Make a link that ends, for whoever has it.")] = False,
    seconds: Annotated[
        int | None, typer.Option("--for", metavar="SECONDS", min=1, help="How long the link lasts; an hour.")
    ] = None,
) -> None:
    """Say who reaches a port beside the worker's owner, or make a link to it; it is shown this once."""
    if link == (whom is not None) or (seconds is not None and not link):
        raise typer.BadParameter("Name owner, org or public, or ask for a --link [--for SECONDS].")
    found = await session.worker(worker)
    if whom is None:
        made = await session.client.port_sharing.create_link(found, port, expires_in_seconds=seconds)
        session.out.json(made.to_wire()) if session.out.as_json else session.out.text(
            f"{made.url.get_secret_value()}\n"
        )
        return
    shared = await session.client.port_sharing.share(found, port, whom.value)
    session.out.done(shared.url, shared)


@command(app, "keep-alive")
async def keep_alive(
    session: Session,
    worker: WorkerArgument,
    seconds: Annotated[int, typer.Option("--for", metavar="SECONDS", min=0, max=86400, help="A day at most.")] = 0,
) -> None:
    """Count a worker as used now, and keep it from being stopped by idleness within that time."""
    kept = await session.client.workers.keep_alive(await session.worker(worker), seconds=seconds)
    session.out.record(kept, worker_fields(kept))
