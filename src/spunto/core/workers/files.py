"""Files of a running worker, through its node: each request one stream, whose bytes are held by nobody on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import orjson

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import Conflict, Unavailable
from spunto.core.projects.model import ProjectId
from spunto.core.protocol.messages import JsonObject
from spunto.core.protocol.stream import Stream
from spunto.core.specs.files import STREAM, TAKES_BODY, FileRequest, FileVerb
from spunto.core.workers.answers import patience, unreadable
from spunto.core.workers.entrance import Entrance
from spunto.core.workers.model import Activity, WorkerId
from spunto.core.workers.uses import WorkerUses

ANSWER_SECONDS: Final = 60.0
"""How long the node may say nothing: a large tree takes a while to be removed."""
_NOTED_EACH_SECONDS: Final = 60.0
_MAX_LIST_BYTES: Final = 4 * 1024 * 1024
# Looking is no activity.
_LOOKS: Final = frozenset({FileVerb.LOOK, FileVerb.LIST})


class FileTransfer:
    """One request under way. `head` is what the node said first: facts of the file, or that it is ready."""

    def __init__(self, stream: Stream, head: JsonObject, *, moved: "_Moved") -> None:
        self.head = head
        self._stream = stream
        self._moved = moved
        self._last: JsonObject = {}

    async def pieces(self) -> AsyncIterator[bytes]:
        """The content as it comes, at the reader's pace. Raises what the node refuses with, also in its middle."""
        while True:
            async with patience(ANSWER_SECONDS):
                piece = await self._stream.next()
            if piece is None:
                return
            if isinstance(piece, dict):
                self._last = piece
                continue
            await self._moved.note()
            yield piece

    async def send(self, data: bytes) -> None:
        """Content, as fast as the worker's disk takes it. Raises what the node refuses with."""
        async with patience(ANSWER_SECONDS):
            await self._stream.write(data)
        await self._moved.note()

    def abandon(self) -> None:
        """Break it off at once. Repeating, or after its end, is harmless."""
        self._stream.reset("aborted")

    async def finish(self) -> JsonObject:
        """Say that all content has been sent, and give what came of it. Raises what the node refuses with."""
        await self._stream.write_eof()
        async for _ in self.pieces():
            raise unreadable()
        return self._last


class WorkerFiles:
    """Raises what `Entrance.enter` does, Unavailable where the node can't be had, and Conflict or NotFound with a code
    of their own for what the worker's own file system refuses."""

    def __init__(self, entrance: Entrance, *, uses: WorkerUses) -> None:
        self._entrance = entrance
        self._uses = uses

    async def ask(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId, asked: FileRequest
    ) -> JsonObject:
        """What the node answers to a request without content: facts, a page of a list, or that it is done."""
        async with self.transfer(actor, org_id, project_id, worker_id, asked) as transfer:
            return transfer.head

    @asynccontextmanager
    async def transfer(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId, asked: FileRequest
    ) -> AsyncIterator[FileTransfer]:
        """Leaving it before its end breaks it off: then nothing was written."""
        worker = await self._entrance.enter(actor, org_id, project_id, worker_id)
        moved = _Moved(self._uses, worker.id, is_look=asked.verb in _LOOKS or asked.is_look)
        await moved.note()
        async with await self._entrance.open(actor, worker, STREAM, asked.to_wire()) as stream:
            if asked.verb not in TAKES_BODY:
                await stream.write_eof()
            head = await (_listed(stream) if asked.verb is FileVerb.LIST else _head(stream))
            yield FileTransfer(stream, head, moved=moved)


class _Moved:
    """Keeps the worker awake as long as files go in or out."""

    def __init__(self, uses: WorkerUses, worker_id: WorkerId, *, is_look: bool) -> None:
        self._uses = uses
        self._worker_id = worker_id
        self._next_at = float("inf") if is_look else 0.0

    async def note(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._next_at:
            return
        self._next_at = now + _NOTED_EACH_SECONDS
        with suppress(Conflict, Unavailable):
            await self._uses.used(self._worker_id, Activity.FILES)


async def _head(stream: Stream) -> JsonObject:
    async with patience(ANSWER_SECONDS):
        head = await stream.next()
    if not isinstance(head, dict):
        raise unreadable()
    return head


async def _listed(stream: Stream) -> JsonObject:
    body = bytearray()
    async with patience(ANSWER_SECONDS):
        while (piece := await stream.read()) is not None:
            body += piece
            if len(body) > _MAX_LIST_BYTES:
                raise unreadable()
    try:
        said: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise unreadable() from error
    if not isinstance(said, dict) or not isinstance(said.get("items"), list):
        raise unreadable()
    return said
