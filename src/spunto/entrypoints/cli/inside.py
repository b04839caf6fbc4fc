"""`spunto worker logs | exec | shell`: what goes on inside a worker."""

import sys
from datetime import datetime
from typing import Annotated

import typer

from spunto.client.logs import LogLine
from spunto.entrypoints.cli.exits import ExitCode
from spunto.entrypoints.cli.options import WorkerArgument, moment_of, pairs_of
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session
from spunto.entrypoints.cli.shell import attached_shell, window_size
from spunto.entrypoints.cli.workers import app


@command(app)
async def logs(
    session: Session,
    worker: WorkerArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    tail: Annotated[int, typer.Option(min=1, max=10000, help="Lines from the end.")] = 200,
    since: Annotated[
        datetime | None, typer.Option(parser=moment_of, metavar="WHEN", help="Such as 10m, 2h or 2026-01-31T12:00:00Z.")
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Begin each line with its time.")] = False,
) -> None:
    """Print a worker's log; with --json a line of JSON for each line."""
    found = await session.worker(worker)
    if follow:
        async for line in session.client.workers.follow_logs(found, tail=tail, since=since):
            _print_line(session.out, line, timestamps=timestamps)
    elif session.out.as_json:
        for line in await session.client.workers.log_lines(found, tail=tail, since=since):
            session.out.json(line.to_wire())
    else:
        session.out.text(await session.client.workers.logs(found, tail=tail, since=since, timestamps=timestamps))


@command(app, "exec")
async def execute(
    session: Session,
    worker: WorkerArgument,
    command_line: Annotated[list[str], typer.Argument(metavar="COMMAND", help="Behind --", show_default=False)],
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Give it this command's stdin.")] = False,
    env: Annotated[list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="May be repeated.")] = None,
    cwd: Annotated[str | None, typer.Option(help="Directory in the worker.", show_default=False)] = None,
    user: Annotated[str | None, typer.Option(help="User in the worker.", show_default=False)] = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0.1)] = 60.0,
) -> int:
    """Run a command in a worker; exits with its exit code, and with 124 when its time is over."""
    found = await session.worker(worker)
    result = await session.client.workers.exec(
        found,
        command_line,
        cwd=cwd,
        env=pairs_of(env, option="--env") or None,
        stdin=_stdin() if interactive else None,
        user=user,
        timeout_seconds=timeout,
    )
    if session.out.as_json:
        session.out.json(result.to_wire())
    else:
        session.out.text(result.stdout)
        sys.stderr.write(result.stderr)
        if result.truncated:
            session.out.note("spunto: the output was longer than the server passes on; this is only a part of it.")
    return ExitCode.TIMEOUT if result.timed_out else result.exit_code


@command(app)
async def shell(session: Session, worker: WorkerArgument) -> int:
    """Open a shell in a worker; exits with its exit code.

    It goes on where it was after a lost connection. Meanwhile Ctrl-C gives up.
    """
    found = await session.worker(worker)
    size = window_size()
    async with session.client.workers.terminal(found, cols=size.columns, rows=size.lines) as terminal:
        return await attached_shell(terminal)


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter("stdin is not text in UTF-8, which is all that exec can pass on.") from error


def _print_line(out: Output, line: LogLine, *, timestamps: bool) -> None:
    if out.as_json:
        out.json(line.to_wire())
        return
    at = f"{line.at.isoformat().replace('+00:00', 'Z')} " if timestamps and line.at is not None else ""
    out.text(f"{at}{line.line}\n")
