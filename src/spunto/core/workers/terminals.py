"""A worker's terminals: shells on its node that outlive whoever looks at them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.projects.model import ProjectId
from spunto.core.protocol.messages import JsonObject
from spunto.core.protocol.stream import Stream
from spunto.core.specs.capabilities import of_stream
from spunto.core.workers.answers import patience, unreadable, whole
from spunto.core.workers.entrance import Entrance
from spunto.core.workers.model import Activity, Worker, WorkerId
from spunto.core.workers.ports import WorkersTransaction
from spunto.core.workers.uses import WorkerUses

STREAM: Final = "terminals"
ANSWER_SECONDS: Final = 15.0
MAX_ANSWER_BYTES: Final = 64 * 1024
_MAX_TEXT: Final = 128
_MAX_SIDE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalWish:
    """`session` is a terminal that is there; without it a new one opens, unless `name` is that of one that lives."""

    cols: int
    rows: int
    session: str | None = None
    name: str | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalView:
    """A terminal that lives. `left_seconds` is since when nobody looks at it."""

    session: str
    name: str | None
    cols: int
    rows: int
    viewers: int
    started_at: datetime
    left_seconds: float | None


class WorkerTerminals:
    """Raises what `Entrance` does."""

    def __init__(self, uow: UnitOfWork[WorkersTransaction], *, entrance: Entrance, uses: WorkerUses) -> None:
        self._uow = uow
        self._entrance = entrance
        self._uses = uses

    async def open(self, actor: Actor, worker_id: WorkerId, wish: TerminalWish) -> Stream:
        """A shell in a terminal, or an earlier one again from its offset on; close the stream in the end."""
        found = await self._entrance.find(actor, worker_id)
        worker = await self._entrance.enter(actor, found.org_id, found.project_id, worker_id)
        if wish.name is not None:
            await self._require_current(worker)
        await self._uses.used(worker.id, Activity.TERMINAL)
        params: JsonObject = {"session": wish.session, "offset": wish.offset, "cols": wish.cols, "rows": wish.rows}
        return await self._entrance.open(actor, worker, "terminal", {**params, "name": wish.name})

    async def list(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId
    ) -> Sequence[TerminalView]:
        """Those that live, oldest first. Raises Unavailable `agent_too_old`."""
        return await self._told(actor, await self._entrance.enter(actor, org_id, project_id, worker_id), {})

    async def end(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId, session: str
    ) -> None:
        """Hang the shell up. Raises NotFound `terminal_not_found`, Unavailable `agent_too_old`."""
        await self._told(actor, await self._entrance.enter(actor, org_id, project_id, worker_id), {"end": session})

    async def note(self, worker_id: WorkerId) -> None:
        """Something moves in a terminal: somebody types, or what runs there says something."""
        with suppress(Unavailable):
            await self._uses.used(worker_id, Activity.TERMINAL)

    async def _told(self, actor: Actor, worker: Worker, params: JsonObject) -> Sequence[TerminalView]:
        await self._require_current(worker)
        async with await self._entrance.open(actor, worker, STREAM, params) as stream, patience(ANSWER_SECONDS):
            return _read(await whole(stream, max_bytes=MAX_ANSWER_BYTES))

    async def _require_current(self, worker: Worker) -> None:
        async with self._uow.reading() as tx:
            node = await tx.nodes.find(worker.node_id)
        if node is not None and of_stream(STREAM) not in node.capabilities:
            message = "The agent of the worker's node is too old for that; update it."
            raise Unavailable("agent_too_old", message, id=worker.node_id)


def _read(answer: bytes) -> list[TerminalView]:
    """Raises Unavailable `node_answer_unreadable`."""
    try:
        body = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        raise unreadable() from error
    match body:
        case {"items": list(items)}:
            return [_view(each) for each in items]
    raise unreadable()


def _view(item: object) -> TerminalView:
    match item:
        case {
            "session": str(session),
            "name": str() | None as name,
            "cols": int(cols),
            "rows": int(rows),
            "viewers": int(viewers),
            "startedAt": int() | float() as started_at,
            "leftSeconds": int() | float() | None as left_seconds,
        } if max(len(session), len(name or "")) <= _MAX_TEXT and max(cols, rows) <= _MAX_SIDE and 0 < started_at < 1e11:
            return TerminalView(
                session=session,
                name=name,
                cols=cols,
                rows=rows,
                viewers=viewers,
                started_at=datetime.fromtimestamp(started_at, UTC),
                left_seconds=left_seconds,
            )
    raise unreadable()
