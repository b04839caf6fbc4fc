"""`spunto worker`: development environments, from spawn to destroy."""

import sys
from typing import Annotated

import typer

from spunto.client.models import Port, Worker
from spunto.entrypoints.cli import rendering
from spunto.entrypoints.cli.options import NoWait, WorkerArgument, Yes
from spunto.entrypoints.cli.progress import reporting
from spunto.entrypoints.cli.resolve import workers_by_project
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

app = typer.Typer(help="Development environments.", no_args_is_help=True, add_completion=False)

Timeout = Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="How long to wait.")]


@command(app)
async def spawn(
    session: Session,
    project: Annotated[
        str | None, typer.Argument(metavar="[PROJECT]", help="Id or name; the only one there is.")
    ] = None,
    name: Annotated[str | None, typer.Option(show_default=False)] = None,
    node: Annotated[str | None, typer.Option(help="Id or name; the least loaded one that fits.")] = None,
    branch: Annotated[str | None, typer.Option(show_default=False)] = None,
    no_wait: NoWait = False,
    timeout: Timeout = 900.0,
) -> None:
    """Make a worker of a project, and wait until it is ready."""
    found = await session.project(project)
    node_id = None if node is None else (await session.node(node)).id
    worker = await session.client.workers.spawn(found.org_id, found.id, name=name, node_id=node_id, branch=branch)
    await _settle(session, worker, "ready", no_wait=no_wait, timeout_seconds=timeout)


@command(app, "list")
async def list_all(
    session: Session,
    project: Annotated[str | None, typer.Option(help="Only those of this project.", show_default=False)] = None,
) -> None:
    """List the workers."""
    if project is None:
        placed = await workers_by_project(session.client, await session.org_id())
    else:
        found = await session.project(project)
        placed = [(found, worker) async for worker in session.client.workers.iter_workers(found.org_id, found.id)]
    session.out.table(placed, rendering.WORKERS, wire=lambda pair: pair[1].to_wire())


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
    session.out.record(found, rendering.worker_fields(found))


@command(app)
async def stop(session: Session, worker: WorkerArgument, no_wait: NoWait = False, timeout: Timeout = 180.0) -> None:
    """Stop a worker; its file system stays."""
    stopping = await session.client.workers.stop(await session.worker(worker))
    await _settle(session, stopping, "stopped", no_wait=no_wait, timeout_seconds=timeout)


@command(app)
async def start(session: Session, worker: WorkerArgument, no_wait: NoWait = False, timeout: Timeout = 300.0) -> None:
    """Start a worker that is stopped or in error, and wait until it is ready."""
    starting = await session.client.workers.start(await session.worker(worker))
    await _settle(session, starting, "ready", no_wait=no_wait, timeout_seconds=timeout)


@command(app)
async def destroy(
    session: Session,
    worker: WorkerArgument,
    yes: Yes = False,
    no_wait: NoWait = False,
    timeout: Timeout = 300.0,
) -> None:
    """Remove a worker with everything in it. Asks first on a terminal."""
    found = await session.worker(worker)
    if not yes and sys.stdin.isatty() and not session.out.as_json:
        typer.confirm(f"Destroy worker {found.name} and everything in it?", abort=True, err=True)
    destroying = await session.client.workers.destroy(found)
    if not no_wait:
        await session.client.workers.wait_until_gone(found, timeout_seconds=timeout)
    session.out.done(f"Worker {found.name} is {'being destroyed' if no_wait else 'gone'}.", destroying)


@command(app)
async def rename(
    session: Session, worker: WorkerArgument, name: Annotated[str, typer.Argument(show_default=False)]
) -> None:
    """Give a worker another name."""
    renamed = await session.client.workers.rename(await session.worker(worker), name)
    session.out.done(f"The worker is called {renamed.name} now.", renamed)


@command(app)
async def stats(session: Session, worker: WorkerArgument) -> None:
    """Show what a running worker uses."""
    used = await session.client.workers.stats(await session.worker(worker))
    session.out.record(used, rendering.stats_fields(used))


@command(app)
async def ports(session: Session, worker: WorkerArgument) -> None:
    """List what listens inside a worker."""
    found = await session.client.workers.ports(await session.worker(worker))
    session.out.table(found, rendering.PORTS, wire=Port.to_wire)


async def _settle(session: Session, worker: Worker, until: str, *, no_wait: bool, timeout_seconds: float) -> None:
    """Wait for the worker's state, and print the worker."""
    if not no_wait:
        with reporting(session.out, worker.name) as report:
            worker = await session.client.workers.wait_for_worker(
                worker, until={until}, timeout_seconds=timeout_seconds, on_change=report
            )
    session.out.done(f"Worker {worker.name} is {worker.state}.", worker)
