"""`spunto worker logs | exec | git-status`: what goes on inside a worker."""

import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from spunto.client.log_lines import LogLine
from spunto.client.worker_models import ExecResult, Repository
from spunto.entrypoints.cli import ports
from spunto.entrypoints.cli.exits import ExitCode
from spunto.entrypoints.cli.options import WorkerArgument, moment_of, pairs_of, waiting
from spunto.entrypoints.cli.output import Columns, Output
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

app: Final = ports.app
MAX_STDIN_BYTES = 512 * 1024


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
    raw: Annotated[bool, typer.Option("--raw", help="Let control characters do their work on a terminal.")] = False,
) -> None:
    """Print a worker's log; with --json a line of JSON for each line.

    On a terminal control characters are spelt out, so that no log can colour it, move in it or write to its clipboard.
    """
    found = await session.worker(worker)
    write = session.out.text if raw else session.out.passed_on
    if follow:
        async for line in session.client.workers.follow_logs(found, tail=tail, since=since):
            _print_line(session.out, line, timestamps=timestamps, write=write)
    elif session.out.as_json:
        for line in await session.client.workers.log_lines(found, tail=tail, since=since):
            session.out.json(line.to_wire())
    else:
        write(await session.client.workers.logs(found, tail=tail, since=since, timestamps=timestamps))


@command(app, "exec")
async def execute(
    session: Session,
    worker: WorkerArgument,
    command_line: Annotated[list[str], typer.Argument(metavar="COMMAND", help="Behind --", show_default=False)],
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Give it this command's stdin.")] = False,
    env: Annotated[list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="May be repeated.")] = None,
    cwd: Annotated[str | None, typer.Option(help="Directory in the worker.", show_default=False)] = None,
    user: Annotated[str | None, typer.Option(help="User in the worker.", show_default=False)] = None,
    timeout: Annotated[float, waiting("1m", meaning="How long it may run, 5m at most")] = 60.0,
) -> int:
    """Run a command in a worker; exits with its exit code, and with 124 when its time is over.

    Bytes go in and come out as they are: up to 512 KiB in, and of each output the first and the last 512 KiB.
    """
    given = _stdin() if interactive else None
    found = await session.worker(worker)
    result = await session.client.workers.exec(
        found,
        command_line,
        cwd=cwd,
        env=pairs_of(env, option="--env") or None,
        stdin=given,
        user=user,
        timeout_seconds=timeout,
    )
    if session.out.as_json:
        session.out.json(_as_json(result))
        return ExitCode.TIMEOUT if result.timed_out else result.exit_code
    session.out.data(result.stdout_bytes)
    sys.stderr.flush()
    sys.stderr.buffer.write(result.stderr_bytes)
    sys.stderr.buffer.flush()
    if result.truncated:
        session.out.note("spunto: the output was longer than the server passes on; a line in it says what is left out.")
    if result.timed_out:
        session.out.note(f"spunto: the command was ended, because it ran for {timeout:g} s; --timeout gives it longer.")
        return ExitCode.TIMEOUT
    # What can't be read line by line is of no use in parts.
    is_spoilt = result.truncated and not result.exit_code and not _is_text(result.stdout_bytes)
    return ExitCode.FAILURE if is_spoilt else result.exit_code


@command(app, "git-status")
async def git_status(session: Session, worker: WorkerArgument) -> int:
    """Show what in a worker's git repositories is nowhere else yet.

    Exits with 1 where a repository could not be read, or where there may be more of them.
    """
    found = await session.client.workers.git_status(await session.worker(worker))
    if session.out.as_json:
        session.out.json(found.to_wire())
    else:
        session.out.table(found.repos, _REPOSITORY_COLUMNS, wire=Repository.to_wire)
        for repository in found.repos:
            if repository.error is not None:
                session.out.note(f"{repository.path}: {repository.error}")
        if found.truncated:
            session.out.note("There may be more repositories than these.")
    return ExitCode.FAILURE if found.truncated or any(each.error for each in found.repos) else ExitCode.OK


def _stdin() -> bytes:
    """Raises a usage error for more than a command can be given."""
    data = sys.stdin.buffer.read(MAX_STDIN_BYTES + 1)
    if len(data) > MAX_STDIN_BYTES:
        raise typer.BadParameter(f"exec passes on at most {MAX_STDIN_BYTES} bytes of stdin, and there are more.")
    return data


def _as_json(result: ExecResult) -> Mapping[str, Any]:
    """Text where all of it is text, and base64 where it is not; `encoding` says which."""
    outputs = {"stdout": result.stdout_bytes, "stderr": result.stderr_bytes}
    is_text = all(map(_is_text, outputs.values()))
    return {
        "exitCode": result.exit_code,
        **{name: data.decode() if is_text else b64encode(data).decode() for name, data in outputs.items()},
        "encoding": "utf8" if is_text else "base64",
        "truncated": result.truncated,
        "timedOut": result.timed_out,
        "durationMs": result.duration_ms,
    }


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _figure(name: str) -> Callable[[Repository], str]:
    """Unknown is not none: a repository that could not be read has a question mark."""

    def cell(repository: Repository) -> str:
        value = getattr(repository, name)
        return "?" if repository.error is not None else "-" if value is None else str(value)

    return cell


_REPOSITORY_COLUMNS: Columns[Repository] = (
    ("PATH", lambda each: each.path),
    *((name.upper(), _figure(name)) for name in ("branch", "staged", "modified", "untracked", "unpushed", "stashed")),
)


def _print_line(out: Output, line: LogLine, *, timestamps: bool, write: Callable[[str], None]) -> None:
    if out.as_json:
        out.json(line.to_wire())
        return
    at = f"{line.at.isoformat().replace('+00:00', 'Z')} " if timestamps and line.at is not None else ""
    write(f"{at}{line.line}\n")
