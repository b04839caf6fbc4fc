"""What is answered of a worker's file or tree, and what is taken in of one: piece by piece, at both ends' pace."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from quart import Response, g, request
from werkzeug.exceptions import RequestTimeout
from werkzeug.http import dump_options_header

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.access.standing import Check, Standing
from spunto.core.kernel.errors import Malformed
from spunto.core.projects.model import ProjectId
from spunto.core.protocol.messages import JsonObject
from spunto.core.specs.files import FileRequest, FileVerb
from spunto.core.workers.answers import unreadable
from spunto.core.workers.files import FileTransfer, WorkerFiles
from spunto.core.workers.model import WorkerId
from spunto.core.workers.reach import WorkerReach
from spunto.entrypoints.http.preconditions import asked_tags, unchanged_or
from spunto.entrypoints.http.ranges import RangeNotSatisfiable, asked_part
from spunto.entrypoints.http.streaming import Streams
from spunto.entrypoints.serving.security import Doorkeeper

BYTES: Final = "application/octet-stream"
TAR: Final = "application/x-tar"
STALLED_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, and about which worker."""

    actor: Actor
    org_id: OrgId
    project_id: ProjectId | None
    worker_id: WorkerId


class FileContents:
    def __init__(
        self, files: WorkerFiles, reach: WorkerReach, doorkeeper: Doorkeeper, standing: Standing, streams: Streams
    ) -> None:
        self._files = files
        self._reach = reach
        self._doorkeeper = doorkeeper
        self._standing = standing
        self._streams = streams

    async def ask(self, asker: Asker, asked: FileRequest) -> JsonObject:
        """What the node answers; who loses the right to it meanwhile ends it."""
        working = self._files.ask(asker.actor, asker.org_id, asker.project_id, asker.worker_id, asked)
        return await self._standing.during(asker.actor, self._check(asker), working)

    async def give(self, asker: Asker, asked: FileRequest) -> Response:
        """A file, the part of one that the request's headers ask for, or a tree."""
        if asked.verb is FileVerb.READ:
            asked = _as_headers_say(asked)
        async with AsyncExitStack() as stack:
            transfer = await stack.enter_async_context(
                self._files.transfer(asker.actor, asker.org_id, asker.project_id, asker.worker_id, asked)
            )
            if asked.verb is FileVerb.READ and (unchanged := _without_content(transfer.head)) is not None:
                return unchanged
            _let_go_with_request(transfer, stack)
            body = self._watched(asker.actor, self._check(asker), transfer, stack.pop_all())
            name = asked.path.rstrip("/").rpartition("/")[2] or "root"
            if asked.verb is FileVerb.PACK:
                return _as_download(self._streams.respond_whole(body, content_type=TAR), f"{name}.tar")
            answer = self._streams.respond_whole(body, content_type=BYTES)
            return _as_download(_described(answer, transfer.head), name)

    async def take(self, asker: Asker, asked: FileRequest) -> JsonObject:
        """What came of the request's body, which the worker has as a whole then."""

        async def work() -> JsonObject:
            files = self._files.transfer(asker.actor, asker.org_id, asker.project_id, asker.worker_id, asked)
            async with files as transfer:
                async for piece in _body():
                    await transfer.send(piece)
                return await transfer.finish()

        return await self._standing.during(asker.actor, self._check(asker), work())

    def _check(self, asker: Asker) -> Check:
        headers, method, request_id = request.headers, request.method, g.request_id

        async def check() -> Actor:
            again = await self._doorkeeper.admit(headers, method=method, request_id=request_id)
            await self._reach.may_stay(again, asker.worker_id, Action.WORKER_ENTER)
            return again

        return check

    async def _watched(
        self, actor: Actor, check: Check, transfer: FileTransfer, stack: AsyncExitStack
    ) -> AsyncGenerator[bytes, None]:
        """The pieces, until the right to them is lost. What gets shorter meanwhile breaks off, told as such."""
        async with stack:
            guard = asyncio.create_task(self._standing.watch(actor, check), name="files watched")
            left = transfer.head.get("lengthBytes") if transfer.head.get("sizeBytes") else None
            try:
                async for piece in transfer.pieces():
                    if guard.done():
                        guard.result()
                    yield piece
                    left = None if left is None else left - len(piece)
                if left:
                    raise unreadable()
            finally:
                guard.cancel()
                await asyncio.wait({guard})


def _as_headers_say(asked: FileRequest) -> FileRequest:
    part, known = asked_part(request.headers), asked_tags("If-None-Match")
    return asked.reading(
        offset=0 if part is None else part.offset,
        length=None if part is None else part.length,
        only_of=None if part is None else part.only_of,
        is_look=request.method == "HEAD",
        unless_version=",".join(sorted(known.as_set(include_weak=True))) or None,
    )


def _without_content(head: JsonObject) -> Response | None:
    """Raises RangeNotSatisfiable."""
    if head.get("isUnchanged") is True:
        return unchanged_or(Response(b""), version_of(head))
    size = _number(head, "sizeBytes")
    if head.get("isPart") is True and _number(head, "offset") >= size:
        raise RangeNotSatisfiable(size)
    return None


def _described(answer: Response, head: JsonObject) -> Response:
    size, begin, length = (_number(head, name) for name in ("sizeBytes", "offset", "lengthBytes"))
    # What /proc makes up as it is read has no length before.
    if size:
        answer.content_length = length
    if head.get("isPart") is True:
        answer.status_code = 206
        answer.headers["Content-Range"] = f"bytes {begin}-{begin + length - 1}/{size}"
    answer.headers["Accept-Ranges"] = "bytes"
    answer.set_etag(version_of(head))
    return answer


def _let_go_with_request(transfer: FileTransfer, stack: AsyncExitStack) -> None:
    """A client that leaves before the first piece is asked for leaves nobody to end the transfer."""
    handling = asyncio.current_task()
    if handling is None:
        return

    def abandon(_: object) -> None:
        transfer.abandon()

    handling.add_done_callback(abandon)
    stack.callback(handling.remove_done_callback, abandon)


async def _body() -> AsyncIterator[bytes]:
    """What the client sends, as it is wanted. Raises RequestTimeout."""
    pieces = aiter(request.body)
    while True:
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise RequestTimeout from error
        yield piece


def if_match() -> str | None:
    """Raises Malformed."""
    if "If-Match" not in request.headers:
        return None
    tags = asked_tags("If-Match")
    if tags.star_tag:
        return "*"
    # A weak tag is not in it: it would not say that all is as it was.
    if not tags.as_set():
        raise Malformed("invalid_if_match", 'If-Match is `*`, or one or more ETags as they were answered: `"…"`.')
    return ",".join(sorted(tags.as_set()))


def _as_download(answer: Response, name: str) -> Response:
    """Never shown by a browser as a page of ours."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    answer.headers["Content-Disposition"] = dump_options_header("attachment", {"filename": plain})
    return answer


def version_of(head: JsonObject) -> str:
    version = head.get("version")
    if not isinstance(version, str) or not version.isascii() or not version.isprintable() or '"' in version:
        raise unreadable()
    return version[:128]


def _number(head: JsonObject, name: str) -> int:
    value = head.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise unreadable()
    return value
