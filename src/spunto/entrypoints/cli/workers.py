"""`spunto worker`: development environments, from spawn to destroy."""

import sys
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer

from spunto.client.watching import WorkerSettledElsewhere
from spunto.client.worker_models import Port, Worker
from spunto.core.kernel.errors import Conflict, SpuntoError
from spunto.entrypoints.cli.granting import Grant, GrantOption, granted
from spunto.entrypoints.cli.matching import (
    Every,
    InState,
    Matching,
    OfProject,
    OneWorker,
    OnNode,
    WithTag,
    destroying_by,
    each_matching,
    stopping_by,
)
from spunto.entrypoints.cli.options import NoWait, WorkerArgument, Yes, pairs_of, waiting
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.progress import reporting
from spunto.entrypoints.cli.rendering import age
from spunto.entrypoints.cli.resolve import project_names
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session
from spunto.entrypoints.cli.worker_fields import stats_fields, worker_fields

Placed = tuple[str, Worker]
"""What its project is called, and the worker."""
_LAST_LINES = 20


WORKERS: Columns[Placed] = (
    ("NAME", lambda placed: placed[1].name),
    ("PROJECT", lambda placed: placed[0]),
    ("STATE", lambda placed: placed[1].state),
    ("CONTAINER", lambda placed: placed[1].docker_state),
    ("VERSION", lambda placed: f"v{placed[1].project_version}{' (outdated)' if placed[1].outdated else ''}"),
    ("AGE", lambda placed: age(placed[1].created_at)),
    ("ID", lambda placed: placed[1].id),
)


PORTS: Columns[Port] = (
    ("PORT", lambda port: str(port.port)),
    ("ADDRESS", lambda port: port.address),
    ("PROCESS", lambda port: port.process or ""),
    ("SHARING", lambda port: port.sharing),
    ("URL", lambda port: port.url),
)


app = typer.Typer(help="Development environments.", no_args_is_help=True, add_completion=False)


@command(app)
async def spawn(
    session: Session,
    project: Annotated[str | None, typer.Argument(metavar="PROJECT", help="Id or name; the only one there is.")] = None,
    name: Annotated[str | None, typer.Option(show_default=False)] = None,
    node: Annotated[str | None, typer.Option(help="Id or name; the least loaded one that fits.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="May be repeated.")] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env", metavar="NAME=VALUE", help="A variable of this worker; may be repeated.", show_default=False
        ),
    ] = None,
    secrets: GrantOption = Grant.ASK,
    no_wait: NoWait = False,
    timeout: Annotated[float, waiting("15m")] = 900.0,
) -> None:
    """Make a worker of a project, and wait until it is ready."""
    project_id = await session.project_id(project)
    node_id = None if node is None else await session.node_id(node)
    ask = partial(
        session.client.workers.spawn,
        await session.org_id(),
        project_id,
        name=name,
        node_id=node_id,
        tags=tag,
        env=pairs_of(env, option="--env") or None,
    )
    worker = await granted(session, ask, grant=secrets, project_id=project_id)
    await _settle(session, worker, "ready", no_wait=no_wait, timeout_seconds=timeout)


@command(app, "list")
async def list_all(
    session: Session,
    project: OfProject = None,
    state: InState = None,
    tag: WithTag = None,
    node: OnNode = None,
    destroyed: Annotated[bool, typer.Option("--destroyed", help="Also those destroyed in the last 30 days.")] = False,
) -> None:
    """List the workers of all projects."""
    org_id = await session.org_id()
    asked = {
        "projectId": None if project is None else await session.project_id(project),
        "state": state,
        "tag": tag,
        "nodeId": None if node is None else await session.node_id(node),
        "include": "destroyed" if destroyed else None,
    }
    names = {} if session.out.as_json else await project_names(session.client, org_id)
    workers = [each async for each in session.client.workers.iter_all(org_id, **asked)]
    placed = [(names.get(each.project_id, each.project_id), each) for each in workers]
    session.out.table(placed, WORKERS, wire=lambda pair: pair[1].to_wire())


@command(app)
async def show(
    session: Session,
    worker: WorkerArgument,
    explain: Annotated[bool, typer.Option("--explain", help="Also why it is as it is, and what happens next.")] = False,
) -> None:
    """Show one worker."""
    found = await session.worker(worker)
    if explain:
        found = await session.client.workers.get(found, explain=True)
    session.out.record(found, worker_fields(found))


@command(app)
async def stop(
    session: Session,
    worker: OneWorker = None,
    project: OfProject = None,
    state: InState = None,
    tag: WithTag = None,
    node: OnNode = None,
    every: Every = False,
    yes: Yes = False,
    no_wait: NoWait = False,
    timeout: Annotated[float, waiting("3m")] = 180.0,
) -> int | None:
    """Stop a worker, or all that fit; file systems stay.

    By a filter, each is asked for by itself and told of; asks first on a terminal, and needs --yes elsewhere.
    """
    matching = Matching(project=project, state=state, tag=tag, node=node, every=every)
    matching.require_either(worker)
    workers = session.client.workers
    if worker is None:
        verb = stopping_by(workers)
        return await each_matching(session, matching, verb, yes=yes, no_wait=no_wait, timeout_seconds=timeout)
    stopping = await workers.stop(await session.worker(worker))
    await _settle(session, stopping, "stopped", no_wait=no_wait, timeout_seconds=timeout)
    return None


@command(app)
async def start(
    session: Session, worker: WorkerArgument, no_wait: NoWait = False, timeout: Annotated[float, waiting("5m")] = 300.0
) -> None:
    """Start a worker that is stopped or in error, and wait until it is ready."""
    starting = await session.client.workers.start(await session.worker(worker))
    await _settle(session, starting, "ready", no_wait=no_wait, timeout_seconds=timeout)


@command(app)
async def rebuild(
    session: Session,
    worker: WorkerArgument,
    secrets: GrantOption = Grant.ASK,
    no_wait: NoWait = False,
    timeout: Annotated[float, waiting("15m")] = 900.0,
) -> None:
    """Make a worker anew from its project's newest version, and wait until it is ready; /workspace stays.

    The container before is kept until then, and runs on where the rebuild fails.
    """
    found = await session.worker(worker)
    ask = partial(session.client.workers.rebuild, found)
    rebuilding = await granted(session, ask, grant=secrets, project_id=found.project_id)
    rebuilt = await _settle(session, rebuilding, "ready", no_wait=no_wait, timeout_seconds=timeout)
    if rebuilt.error is not None and rebuilt.error.code == "rebuild_failed":
        raise Conflict(rebuilt.error.code, rebuilt.error.message, id=rebuilt.id)


@command(app)
async def destroy(
    session: Session,
    worker: OneWorker = None,
    project: OfProject = None,
    state: InState = None,
    tag: WithTag = None,
    node: OnNode = None,
    every: Every = False,
    yes: Yes = False,
    no_wait: NoWait = False,
    timeout: Annotated[float, waiting("5m")] = 300.0,
) -> int | None:
    """Remove a worker, or all that fit, with everything in them. Asks first on a terminal.

    By a filter, each is asked for by itself and told of, and --yes is needed where nobody can be asked.
    """
    matching = Matching(project=project, state=state, tag=tag, node=node, every=every)
    matching.require_either(worker)
    if worker is None:
        verb = destroying_by(session.client.workers)
        return await each_matching(session, matching, verb, yes=yes, no_wait=no_wait, timeout_seconds=timeout)
    found = await session.worker(worker)
    if not yes and sys.stdin.isatty() and not session.out.as_json:
        typer.confirm(f"Destroy worker {found.name} and everything in it?", abort=True, err=True)
    destroying = await session.client.workers.destroy(found)
    if not no_wait:
        await session.client.workers.wait_until_gone(found, timeout_seconds=timeout)
    session.out.done(f"Worker {found.name} is {'being destroyed' if no_wait else 'gone'}.", destroying)
    return None


@command(app)
async def rename(
    session: Session, worker: WorkerArgument, name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
) -> None:
    """Give a worker another name."""
    renamed = await session.client.workers.rename(await session.worker(worker), name)
    session.out.done(f"The worker is called {renamed.name} now.", renamed)


@command(app)
async def stats(session: Session, worker: WorkerArgument) -> None:
    """Show what a running worker uses."""
    used = await session.client.workers.stats(await session.worker(worker))
    session.out.record(used, stats_fields(used))


@command(app)
async def ports(session: Session, worker: WorkerArgument) -> None:
    """List what listens inside a worker."""
    found = await session.client.workers.ports(await session.worker(worker))
    session.out.table(found, PORTS, wire=Port.to_wire)


async def _settle(session: Session, worker: Worker, until: str, *, no_wait: bool, timeout_seconds: float) -> Worker:
    """Wait for the worker's state, and print the worker, which is as it is then."""
    if not no_wait:
        try:
            with reporting(session.out, worker.name) as report:
                worker = await session.client.workers.wait_for_worker(
                    worker, until={until}, timeout_seconds=timeout_seconds, on_change=report
                )
        except WorkerSettledElsewhere as ended:
            await _tell_last_words(session, ended.worker)
            raise
    session.out.done(f"Worker {worker.name} is {worker.state}.", worker)
    return worker


async def _tell_last_words(session: Session, worker: Worker) -> None:
    """What a container said that ended by itself, which mostly says why."""
    if worker.error is None or worker.error.code not in ("worker_exited", "out_of_memory"):
        return
    # That the worker ended is what counts, whether or not its log can be had.
    with suppress(SpuntoError):
        for line in (await session.client.workers.logs(worker, tail=_LAST_LINES)).splitlines():
            session.out.note(f"{worker.name} | {line}")
