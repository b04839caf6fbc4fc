"""Workers that are stopped or destroyed by what they have in common, in place of by name."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from spunto.client.watching import WaitedTooLong, WorkerSettledElsewhere
from spunto.client.wire import Failure
from spunto.client.worker_models import AskedWorker, Worker
from spunto.client.workers import Workers
from spunto.entrypoints.cli.exits import ExitCode
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.session import Session

OneWorker = Annotated[
    str | None, typer.Argument(metavar="WORKER", help="Id, name, or project/name.", show_default=False)
]
OfProject = Annotated[str | None, typer.Option("--project", help="Those of this project.", show_default=False)]
InState = Annotated[
    str | None, typer.Option("--state", help="Those that are so: ready, stopped, error or another.", show_default=False)
]
WithTag = Annotated[str | None, typer.Option("--tag", help="Those with this tag.", show_default=False)]
OnNode = Annotated[str | None, typer.Option("--node", help="Those on this node: id or name.", show_default=False)]
Every = Annotated[bool, typer.Option("--all", help="All of the organization.")]

_NAMED_WHEN_ASKING = 10
_WAITED_AT_ONCE = 32
_EVERY: Mapping[str, Any] = {"all": True}
_OUTCOMES: Columns[AskedWorker] = (
    ("NAME", lambda asked: asked.name),
    ("STATE", lambda asked: asked.state),
    ("ERROR", lambda asked: "" if asked.error is None else asked.error.message),
    ("ID", lambda asked: asked.id),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What the command's options say; workers have to be all of it."""

    project: str | None
    state: str | None
    tag: str | None
    node: str | None
    every: bool

    @property
    def says_something(self) -> bool:
        return self != Matching(project=None, state=None, tag=None, node=None, every=False)

    def require_either(self, worker: str | None) -> None:
        """A worker that is named, or a filter. Raises UsageError."""
        filters = "--tag, --state, --project, --node or --all"
        if worker is None and not self.says_something:
            raise typer.BadParameter(f"Name a worker, or say which ones by {filters}.")
        if worker is not None and self.says_something:
            raise typer.BadParameter(f"Name a worker or say {filters}, but not both.")
        if self.every and self != replace(self, project=None, state=None, tag=None, node=None):
            raise typer.BadParameter("Not beside another filter.", param_hint="--all")

    async def filters(self, session: Session) -> dict[str, str]:
        """By the API's own names."""
        asked = {
            "projectId": None if self.project is None else await session.project_id(self.project),
            "nodeId": None if self.node is None else await session.node_id(self.node),
            "state": self.state,
            "tag": self.tag,
        }
        return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """What is done with each: `ask` for all of them at once, and `wait` for one that was asked for."""

    name: str
    ask: Callable[..., Awaitable[Sequence[AskedWorker]]]
    wait: Callable[[Worker], Awaitable[str]]


def stopping_by(workers: Workers) -> Verb:
    async def stopped(worker: Worker) -> str:
        return (await workers.wait_for_worker(worker, until={"stopped"})).state

    return Verb(name="stop", ask=workers.stop_matching, wait=stopped)


def destroying_by(workers: Workers) -> Verb:
    async def gone(worker: Worker) -> str:
        await workers.wait_until_gone(worker)
        return "gone"

    return Verb(name="destroy", ask=workers.destroy_matching, wait=gone)


async def each_matching(
    session: Session, matching: Matching, verb: Verb, *, yes: bool, no_wait: bool, timeout_seconds: float
) -> ExitCode:
    """Ask the person, then the server, and tell what became of each.

    CONFLICT where one was refused, TIMEOUT where one is late.
    """
    org_id, filters = await session.org_id(), await matching.filters(session)
    found = {each.id: each async for each in session.client.workers.iter_all(org_id, **filters)}
    if found and not yes:
        _confirm(session, verb.name, [each.name for each in found.values()])
    asked: Sequence[AskedWorker] = ()
    if found:
        asked = await verb.ask(org_id, **(filters or _EVERY))
    if not no_wait:
        asked = await _waited(asked, found, verb, timeout_seconds=timeout_seconds)
    if asked or session.out.as_json:
        session.out.table(asked, _OUTCOMES, wire=AskedWorker.to_wire)
    else:
        session.out.note("No worker fits.")
    return _exit_code({each.error.code for each in asked if each.error})


def _exit_code(codes: Set[str]) -> ExitCode:
    """Of what was refused rather than of what is late."""
    if not codes:
        return ExitCode.OK
    return ExitCode.TIMEOUT if codes == {WaitedTooLong.CODE} else ExitCode.CONFLICT


def _confirm(session: Session, verb: str, names: Sequence[str]) -> None:
    if session.out.as_json or not sys.stdin.isatty():
        raise typer.BadParameter("Say --yes where nobody can be asked.", param_hint="--yes")
    told = ", ".join(names[:_NAMED_WHEN_ASKING])
    others = len(names) - _NAMED_WHEN_ASKING
    more = f" and {others} more" if others > 0 else ""
    noun = "worker" if len(names) == 1 else "workers"
    typer.confirm(f"{verb.capitalize()} {len(names)} {noun} ({told}{more})?", abort=True, err=True)


async def _waited(
    asked: Sequence[AskedWorker], found: Mapping[str, Worker], verb: Verb, *, timeout_seconds: float
) -> Sequence[AskedWorker]:
    """Each with the state in which it settled, or that it had not when the time was over."""
    places = asyncio.Semaphore(_WAITED_AT_ONCE)
    # One that was made after the list was taken is told as it was answered.
    waiting = {
        each.id: asyncio.create_task(_settled(each, found[each.id], verb, places))
        for each in asked
        if each.id in found and not each.error
    }
    try:
        if waiting:
            await asyncio.wait(waiting.values(), timeout=timeout_seconds, return_when=asyncio.FIRST_EXCEPTION)
        return [_outcome(each, waiting.get(each.id), timeout_seconds=timeout_seconds) for each in asked]
    finally:
        for task in waiting.values():
            task.cancel()


async def _settled(asked: AskedWorker, worker: Worker, verb: Verb, places: asyncio.Semaphore) -> AskedWorker:
    changes: dict[str, Any]
    async with places:
        try:
            changes = {"state": await verb.wait(worker)}
        except WorkerSettledElsewhere as ended:
            changes = {"state": ended.worker.state, "error": Failure(code=ended.code, message=ended.message)}
    return asked.model_copy(update=changes)


def _outcome(asked: AskedWorker, waiting: "asyncio.Task[AskedWorker] | None", *, timeout_seconds: float) -> AskedWorker:
    if waiting is None:
        return asked
    if waiting.done():
        return waiting.result()
    late = WaitedTooLong(asked.id, timeout_seconds=timeout_seconds)
    return asked.model_copy(update={"error": Failure(code=late.code, message=late.message)})
