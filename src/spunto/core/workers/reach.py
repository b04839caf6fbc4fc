"""Reaching into a running worker through its node: commands, logs and figures."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.kernel.errors import Conflict, Unavailable
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.projects.model import ProjectId
from spunto.core.protocol.messages import JsonObject
from spunto.core.protocol.stream import Stream
from spunto.core.routes.desired import Sharing
from spunto.core.routes.hosts import Addresses
from spunto.core.specs.capabilities import of_stream
from spunto.core.workers import git_status, listening
from spunto.core.workers.answers import WorkerNotRunning, as_asked, patience, whole
from spunto.core.workers.entrance import Entrance, require_running
from spunto.core.workers.looks import Looks, require_entry, require_output
from spunto.core.workers.model import Activity, Worker, WorkerId
from spunto.core.workers.ports import WorkersTransaction
from spunto.core.workers.transcript import ExecResult, Transcript, converse
from spunto.core.workers.uses import WorkerUses

ANSWER_SECONDS = 15.0
LOG_SECONDS = 60.0
HEAD_BYTES = 512 * 1024
TAIL_BYTES = 512 * 1024
_NOT_EXECUTABLE = (126, 127)
_PACKAGES = {"ss": "iproute2", "find": "findutils", "sort": "coreutils", "uniq": "coreutils", "sh": "a shell"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    """A command for a worker; `user` None is the image's own."""

    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    user: str | None = None
    stdin: bytes = b""
    timeout_seconds: float = 60.0


class WorkerReach:
    """Everything that needs the worker's node now. Raises Unavailable `node_offline` or `agent_incompatible` where
    that can't be had, Conflict `worker_not_running`, and Forbidden `not_owner` for somebody else's worker."""

    def __init__(
        self,
        uow: UnitOfWork[WorkersTransaction],
        *,
        entrance: Entrance,
        looks: Looks,
        uses: WorkerUses,
        addresses: Addresses,
    ) -> None:
        self._uow = uow
        self._looks = looks
        self._entrance = entrance
        self._uses = uses
        self._addresses = addresses

    async def exec(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId, request: ExecRequest
    ) -> ExecResult:
        """Run the command to its end. Of each output the first and the last 512 KiB are kept, and a cut is told."""
        worker = await self._entrance.enter(actor, org_id, project_id, worker_id)
        # What runs for long keeps the worker awake for as long as it may.
        await self._uses.used(worker.id, Activity.EXEC, for_seconds=request.timeout_seconds)
        result = await self._run(actor, worker, request)
        # What has run is told, also where nobody can write down that it has.
        with suppress(Conflict, Unavailable):
            await self._uses.used(worker.id, Activity.EXEC)
        return result

    async def git_status(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId
    ) -> git_status.GitStatus:
        """The state of every git repository below /workspace. Raises Conflict `tool_missing`."""
        worker = await self._entrance.enter(actor, org_id, project_id, worker_id)
        asked = ExecRequest(command=git_status.COMMAND, timeout_seconds=git_status.TIMEOUT_SECONDS)
        result = await self._run(actor, worker, asked, head_bytes=git_status.MAX_ANSWER_BYTES, tail_bytes=0)
        if result.exit_code in _NOT_EXECUTABLE:
            raise _tool_missing("sh")
        found = git_status.parse(result.stdout.decode(errors="replace"))
        if isinstance(found, git_status.MissingTool):
            raise _tool_missing(found.name)
        return found

    async def listening_ports(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId
    ) -> Sequence[listening.OpenPort]:
        """What listens for TCP in the worker now, and who reaches it.

        Raises Conflict `tool_missing` where the node's agent can't tell, and nor can the worker's image.
        """
        worker = await self._entrance.enter(actor, org_id, project_id, worker_id)
        async with self._uow.reading() as tx:
            node, route = await tx.nodes.find(worker.node_id), await tx.routes.find(worker.id)
        can_be_asked = node is not None and of_stream(listening.STREAM) in node.capabilities
        found = await self._ports_by_agent(actor, worker) if can_be_asked else None
        if found is None:
            found = await self._ports_by_ss(actor, worker)
        shared = {} if route is None else route.sharing
        return [
            listening.OpenPort(
                listener=each,
                url=self._addresses.url_of(worker.index, worker.id, each.port),
                sharing=shared.get(each.port, Sharing.OWNER),
            )
            for each in found
        ]

    async def stats(self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> JsonObject:
        """One sample of figures. Where there are none for now, `worker_not_running` is Unavailable."""
        worker = await self._look(actor, org_id, project_id, worker_id)
        try:
            require_running(worker)
            async with await self._entrance.open(actor, worker, "stats", {}) as stream, patience(ANSWER_SECONDS):
                body = await stream.next()
        except WorkerNotRunning as error:
            raise Unavailable("worker_not_running", error.message, **error.fields) from error
        if not isinstance(body, dict):
            raise Unavailable("node_answer_missing", "The node ended the answer before giving it; try again.")
        return body

    async def logs(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        *,
        tail: int,
        since: datetime | None = None,
        follow: bool = False,
    ) -> AsyncIterator[bytes]:
        """The container's log as JSON lines `{at, stream, line}`, in pieces that needn't end at a line's end.

        For its owner and admins, whose looks are audited. Unless it is followed, it ends within a minute.
        """
        worker = await self._listen(actor, org_id, project_id, worker_id)
        params = {"tail": tail, "since": None if since is None else since.isoformat(), "follow": follow}
        async with await self._entrance.open(actor, worker, "logs", params) as stream:
            pieces = _followed(stream) if follow else _log_pieces(stream)
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece

    async def open_logs(self, actor: Actor, worker_id: WorkerId, *, tail: int) -> Stream:
        """A followed log for a socket that names the worker alone; close the stream in the end."""
        found = await self._entrance.find(actor, worker_id)
        worker = await self._listen(actor, found.org_id, found.project_id, worker_id)
        return await self._entrance.open(actor, worker, "logs", {"tail": tail, "since": None, "follow": True})

    async def may_stay(self, actor: Actor, worker_id: WorkerId, action: Action) -> None:
        """Check an open socket's right again; raises what the first check would."""
        worker = await self._entrance.find(actor, worker_id)
        tenant = actor.require(action, org_id=worker.org_id)
        if action is Action.WORKER_ENTER:
            require_entry(tenant, worker)
        elif action is Action.WORKER_READ_OUTPUT:
            require_output(tenant, worker)

    async def home_of(self, worker_id: WorkerId) -> OrgId | None:
        """The organization in which a refusal is to be recorded; whoever was refused must not hear of it."""
        async with self._uow.reading() as tx:
            worker = await tx.workers.find(worker_id)
        return None if worker is None else worker.org_id

    async def _ports_by_agent(self, actor: Actor, worker: Worker) -> Sequence[listening.Listener] | None:
        async with await self._entrance.open(actor, worker, listening.STREAM, {}) as stream, patience(ANSWER_SECONDS):
            return listening.read(await whole(stream, max_bytes=listening.MAX_ANSWER_BYTES))

    async def _ports_by_ss(self, actor: Actor, worker: Worker) -> Sequence[listening.Listener]:
        # As the worker's own user: root may not trace others' processes in there, so it can't tell their sockets.
        result = await self._run(actor, worker, ExecRequest(command=listening.COMMAND, timeout_seconds=15))
        if result.exit_code in _NOT_EXECUTABLE:
            raise _tool_missing("ss")
        return listening.parse(result.stdout.decode(errors="replace"))

    async def _run(
        self,
        actor: Actor,
        worker: Worker,
        request: ExecRequest,
        *,
        head_bytes: int = HEAD_BYTES,
        tail_bytes: int = TAIL_BYTES,
    ) -> ExecResult:
        params = {
            "command": list(request.command),
            "env": dict(request.env),
            "cwd": request.cwd,
            "user": request.user,
            "stdin": bool(request.stdin),
            "timeoutSeconds": request.timeout_seconds,
        }
        transcript = Transcript(head_bytes=head_bytes, tail_bytes=tail_bytes)
        patience_seconds = request.timeout_seconds + ANSWER_SECONDS
        async with await self._entrance.open(actor, worker, "exec", params) as stream, patience(patience_seconds):
            await converse(stream, request.stdin, transcript)
        return transcript.result()

    async def _look(self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Worker:
        return await self._entrance.get(actor.require(Action.WORKER_READ, org_id=org_id), project_id, worker_id)

    async def _listen(self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Worker:
        tenant = actor.require(Action.WORKER_READ_OUTPUT, org_id=org_id)
        worker = await self._entrance.get(tenant, project_id, worker_id)
        require_output(tenant, worker)
        await self._looks.note(tenant, Action.WORKER_READ_OUTPUT, worker)
        return worker


async def _followed(stream: Stream) -> AsyncGenerator[bytes, None]:
    """Waits also for what nobody has written yet."""
    with as_asked():
        while (piece := await stream.read()) is not None:
            yield piece


async def _log_pieces(stream: Stream) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOG_SECONDS
    while True:
        async with patience(min(ANSWER_SECONDS, deadline - loop.time())):
            piece = await stream.read()
        if piece is None:
            return
        yield piece


def _tool_missing(tool: str) -> Conflict:
    package = _PACKAGES.get(tool, tool)
    message = f"The worker's image has no `{tool}`; add {package} to the image and rebuild the worker."
    return Conflict("tool_missing", message, tool=tool)
