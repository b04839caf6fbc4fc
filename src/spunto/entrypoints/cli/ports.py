"""`spunto worker open | share | keep-alive`: a worker's ports, who reaches them, and that it goes on."""

import sys
import webbrowser
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

import typer

from spunto.client.port_sharing import OpenedPort, PortLink
from spunto.client.worker_models import Worker
from spunto.core.kernel.errors import Conflict, Invalid
from spunto.entrypoints.cli import workers
from spunto.entrypoints.cli.options import SPAN, WorkerArgument, idle_timeout_of, whole_seconds_of
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import instant, span
from spunto.entrypoints.cli.resolve import one_of
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session
from spunto.entrypoints.cli.worker_fields import worker_fields

_EDITORS_PORT: Final = 8080

app: Final = workers.app


class With(StrEnum):
    """Whom a port is shared with."""

    OWNER = "owner"
    ORG = "org"
    PUBLIC = "public"


class Way(NamedTuple):
    """One way in beside the worker's owner's own: the port's sharing, or a link."""

    port: OpenedPort
    link: PortLink | None


WAYS: Columns[Way] = (
    ("PORT", lambda way: str(way.port.port)),
    ("WHO", lambda way: way.port.sharing if way.link is None else "whoever has the link"),
    ("UNTIL", lambda way: "" if way.link is None else instant(way.link.expires_at)),
    ("LINK", lambda way: "" if way.link is None else way.link.id),
    ("URL", lambda way: way.port.url),
)


@command(app, "open")
async def open_port(
    session: Session,
    worker: WorkerArgument,
    port: Annotated[
        int | None,
        typer.Argument(min=1, max=65535, metavar="PORT", help="The one that listens.", show_default=False),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Print the address of a worker's port, and open it in the browser where there is one.

    Without a port, the editor's where one runs, or else the only port on which something listens.
    """
    found = await session.worker(worker)
    full = await session.client.workers.get(found)
    if full.urls is None:
        raise typer.BadParameter("This server does not say where its workers are reached; update it.")
    url = await _what_listens(session, full) if port is None else full.urls.of_port(port)
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
    port: Annotated[int | None, typer.Argument(min=1, max=65535, metavar="PORT", show_default=False)] = None,
    whom: Annotated[With | None, typer.Argument(metavar="owner|org|public", show_default=False)] = None,
    link: Annotated[bool, typer.Option("--link", help="Make a link that ends, for whoever has it.")] = False,
    seconds: Annotated[
        int | None,
        typer.Option(
            "--for", parser=whole_seconds_of, metavar=SPAN, help="How long the link lasts, 30d at most; 1h without it."
        ),
    ] = None,
    revoke: Annotated[
        str | None, typer.Option("--revoke", metavar="LINK", help="Take a link back, by its id.", show_default=False)
    ] = None,
) -> None:
    """Say who reaches a port beside the worker's owner: `owner` for nobody.

    With --link make a link to the port, which is shown this once. With a worker alone, list what is shared of it and
    the links to it, also while it is stopped.
    """
    wishes = (whom is not None, link, revoke is not None)
    if sum(wishes) > 1:
        raise typer.BadParameter("Say one of owner, org or public, --link and --revoke LINK.")
    if port is None and (whom is not None or link):
        raise typer.BadParameter("Say which port.")
    if seconds is not None and not link:
        raise typer.BadParameter("Only a --link has an end.", param_hint="--for")
    found = await session.worker(worker)
    if revoke is not None:
        await _take_back(session, found, port, revoke)
    elif port is None or not any(wishes):
        _tell(session, await _opened(session, found, port))
    elif whom is None:
        made = await session.client.port_sharing.create_link(found, port, expires_in_seconds=seconds)
        session.out.json(made.to_wire()) if session.out.as_json else session.out.text(
            f"{made.url.get_secret_value()}\n"
        )
    else:
        shared = await session.client.port_sharing.share(found, port, whom.value)
        session.out.done(shared.url, shared)
        if whom is With.OWNER:
            await _tell_links_left(session, found, port)


@command(app, "keep-alive")
async def keep_alive(
    session: Session,
    worker: WorkerArgument,
    seconds: Annotated[
        int, typer.Option("--for", parser=whole_seconds_of, metavar=SPAN, help="A day at most.", show_default=False)
    ] = 0,
) -> None:
    """Count a worker as used now, and keep it from being stopped by idleness within that time."""
    kept = await session.client.workers.keep_alive(await session.worker(worker), seconds=seconds)
    session.out.record(kept, worker_fields(kept))


@command(app, "idle-timeout")
async def idle_timeout(
    session: Session,
    worker: WorkerArgument,
    seconds: Annotated[
        int,
        typer.Argument(
            parser=idle_timeout_of, metavar=f"{SPAN}|never", help="Such as 30m: 1m to 30d.", show_default=False
        ),
    ],
) -> None:
    """Say after how long without use a worker is stopped."""
    changed = await session.client.workers.set_idle_timeout(await session.worker(worker), seconds or None)
    told = f"is stopped after {span(seconds)} without use" if seconds else "is not stopped by idleness any more"
    session.out.done(f"Worker {changed.name} {told}.", changed)


async def _what_listens(session: Session, worker: Worker) -> str:
    """Its address. Raises Conflict `nobody_listens`, Invalid `port_not_named` where there are several."""
    assert worker.urls is not None  # noqa: S101 - its caller has looked
    found = {each.port: each.process for each in await session.client.workers.ports(worker)}
    if _EDITORS_PORT in found:
        return worker.urls.code
    if not found:
        raise Conflict(
            "nobody_listens", f"Nothing listens in {worker.name} yet. Start a server there, or say which port you mean."
        )
    if len(found) > 1:
        told = ", ".join(f"{port} ({process})" if process else str(port) for port, process in found.items())
        raise Invalid("port_not_named", f"Say which port of {worker.name}: {told}.")
    return worker.urls.of_port(next(iter(found)))


async def _opened(session: Session, worker: Worker, port: int | None) -> Sequence[OpenedPort]:
    return [each for each in await session.client.port_sharing.opened(worker) if port in (None, each.port)]


async def _take_back(session: Session, worker: Worker, port: int | None, wanted: str) -> None:
    links = [link for each in await _opened(session, worker, port) for link in each.links]
    link = one_of(links, wanted, kind="link", names=lambda each: (each.id,))
    await session.client.port_sharing.revoke_link(worker, link.port, link.id)
    session.out.done(f"The link {link.id} to port {link.port} has ended.", link)


async def _tell_links_left(session: Session, worker: Worker, port: int) -> None:
    """Sharing says nothing of links: whoever has one still gets in."""
    links = await session.client.port_sharing.links(worker, port)
    if links:
        lead, them = ("1 link still leads", "it") if len(links) == 1 else (f"{len(links)} links still lead", "them")
        ways = ", ".join(f"--revoke {link.id}" for link in links)
        session.out.note(f"{lead} here; take {them} back by {ways}")


def _tell(session: Session, ports: Sequence[OpenedPort]) -> None:
    if session.out.as_json:
        session.out.json({"items": [each.to_wire() for each in ports]})
    elif ports:
        session.out.table(list(_ways(ports)), WAYS, wire=lambda way: way.port.to_wire())
    else:
        session.out.note("Its owner alone reaches it.")


def _ways(ports: Sequence[OpenedPort]) -> Iterator[Way]:
    for port in ports:
        if port.sharing != With.OWNER.value:
            yield Way(port, None)
        yield from (Way(port, link) for link in port.links)
