"""`spunto worker shell | attach | terminals`: shells in a worker that outlive their connections."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from spunto.client.worker_models import TerminalSession, Worker, WorkerRef
from spunto.entrypoints.cli import inside
from spunto.entrypoints.cli.options import WorkerArgument
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import age
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

app: Final = inside.app


@command(app)
async def shell(
    session: Session,
    worker: WorkerArgument,
    name: Annotated[
        str | None, typer.Option("--name", help="Enter the shell of this name, or open it.", show_default=False)
    ] = None,
) -> int:
    """Open a shell in a worker; exits with its exit code.

    It goes on where it was after a lost connection. Meanwhile Ctrl-C gives up.
    """
    return await _joined(session, await session.worker(worker), name=name)


@command(app)
async def attach(
    session: Session,
    worker: WorkerArgument,
    terminal: Annotated[
        str | None, typer.Argument(metavar="SESSION", help="Its name, or the beginning of its session.")
    ] = None,
) -> int:
    """Enter a shell that goes on in a worker, beside whoever else looks at it; exits with its exit code."""
    found = await session.worker(worker)
    joined = _one_of(await session.client.workers.terminals(found), terminal)
    return await _joined(session, found, joins=joined.session)


@command(app)
async def terminals(
    session: Session,
    worker: WorkerArgument,
    end: Annotated[
        str | None, typer.Option("--end", metavar="SESSION", help="Hang this one up.", show_default=False)
    ] = None,
) -> None:
    """List the shells that go on in a worker."""
    found = await session.worker(worker)
    listed = await session.client.workers.terminals(found)
    if end is not None:
        ended = _one_of(listed, end)
        await session.client.workers.end_terminal(found, ended.session)
        session.out.done(ended.session, ended)
        return
    session.out.table(listed, _COLUMNS, wire=TerminalSession.to_wire)


async def _joined(
    session: Session, worker: Worker | WorkerRef, *, name: str | None = None, joins: str | None = None
) -> int:
    # It brings the library of WebSockets, which no other command waits for.
    from spunto.entrypoints.cli.shell import attached_shell, window_size

    size = window_size()
    entering = session.client.workers.terminal(worker, cols=size.columns, rows=size.lines, name=name, session=joins)
    async with entering as terminal:
        return await attached_shell(terminal)


def _one_of(listed: Sequence[TerminalSession], said: str | None) -> TerminalSession:
    """The session that is meant. Raises a usage error where none is, or several are."""
    if said is None:
        fitting = list(listed)
    else:
        named = [each for each in listed if each.name == said]
        fitting = named or [each for each in listed if each.session.startswith(said)]
    if len(fitting) == 1:
        return fitting[0]
    wanted = "" if said is None else f" {said!r}"
    if fitting:
        raise typer.BadParameter(f"Several shells{wanted} go on there; name one of `spunto worker terminals`.")
    raise typer.BadParameter(f"No shell{wanted} goes on there; `spunto worker shell` opens one.")


_COLUMNS: Columns[TerminalSession] = (
    ("SESSION", lambda each: each.session[:8]),
    ("NAME", lambda each: each.name or "-"),
    ("SIZE", lambda each: f"{each.cols}x{each.rows}"),
    ("VIEWERS", lambda each: str(each.viewers)),
    ("AGE", lambda each: age(each.started_at)),
)
