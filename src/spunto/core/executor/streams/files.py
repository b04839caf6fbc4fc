"""Does one thing with the files of a container for a stream, and undoes what is broken off."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any, Final

import orjson

from spunto.core.executor.file_work import FileRefused, FileWork
from spunto.core.executor.runtime import ContainerRuntime
from spunto.core.executor.streams.params import Params
from spunto.core.kernel.errors import Conflict, Invalid, QuotaExceeded, Unavailable
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.stream import Stream
from spunto.core.specs.files import MAX_ENTRIES, MAX_PATH_BYTES, TAKES_BODY, FileRequest, FileVerb

MAX_OF_CONTAINER: Final = 8
MAX_OF_NODE: Final = 64
_AGAIN_SECONDS: Final = 1.0
_LARGEST: Final = 2**63 - 1
_PERMISSIONS: Final = 0o7777
_SENTENCES: Final = {
    "archive_entry_unusable": "The archive holds what can't be made there",
    "archive_unreadable": "The body is no whole tar archive",
    "directory_not_empty": "The directory is not empty; remove it with all that is in it if that is meant",
    "file_busy": "The file is in use or mounted there, and can't be replaced",
    "file_changed": "What is there is not what the request presumes",
    "file_exists": "There is something already",
    "file_is_directory": "That is a directory",
    "file_not_directory": "That is no directory",
    "file_not_found": "There is no such file or directory in the worker",
    "file_not_permitted": "The worker's user may not do that",
    "file_not_regular": "That is no file with a content, but a device, socket or pipe",
    "file_on_other_disk": "A move can't cross from one file system of the worker to another; copy instead",
    "file_system_full": "The worker's disk is full, or its quota is used up",
    "file_system_read_only": "That part of the worker's file system is read-only",
    "file_too_large": "The file would be larger than the worker may make one",
    "path_unusable": "That path can't be used",
    "too_many_symlinks": "The path has too many links, or one that leads out of what files are",
    "tree_too_deep": "The tree is nested too deeply",
}


class FileStreams:
    """Bounded, because each costs a process."""

    def __init__(self, runtime: ContainerRuntime) -> None:
        self._runtime = runtime
        self._under_way: Counter[str] = Counter()

    async def serve(self, stream: Stream, name: str, params: Params) -> None:
        """Serve one stream to its end. What it raises is the stream's reset."""
        asked = _request_of(params)
        self._count(name)
        try:
            refused = await _serve(stream, await self._runtime.files(name, asked), asked)
        finally:
            self._under_way[name] -= 1
            if not self._under_way[name]:
                del self._under_way[name]
        if refused is not None:
            raise _explained(refused, asked) from refused

    def _count(self, name: str) -> None:
        if self._under_way[name] >= MAX_OF_CONTAINER or self._under_way.total() >= MAX_OF_NODE:
            message = "Too much is being done with the files of this worker, or on this node; try again in a moment."
            raise QuotaExceeded("too_many_transfers", message, retry_after_seconds=_AGAIN_SECONDS)
        self._under_way[name] += 1


async def _serve(stream: Stream, work: FileWork, asked: FileRequest) -> FileRefused | None:
    """What the container's files refuse with; a task's group would wrap it."""
    try:
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(_tell(stream, work, asked), name="files told")
            taking = group.create_task(_take(stream, work, asked), name="files taken")
            leaving = group.create_task(stream.given_up(), name="files asker")
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
            for each in (telling, taking, leaving):
                each.cancel()
        return None if telling.cancelled() else telling.result()
    finally:
        await work.aclose()


async def _take(stream: Stream, work: FileWork, asked: FileRequest) -> None:
    """Only the other side's own end says that all has come; whoever breaks off has written nothing."""
    with suppress(StreamReset):
        while (piece := await stream.read()) is not None:
            if asked.verb in TAKES_BODY:
                await work.write(piece)
        if asked.verb in TAKES_BODY:
            await work.write_end()


async def _tell(stream: Stream, work: FileWork, asked: FileRequest) -> FileRefused | None:
    while True:
        try:
            piece = await work.next()
        except FileRefused as refused:
            return refused
        if piece is None:
            break
        if isinstance(piece, bytes):
            await stream.write(piece)
        elif asked.verb is FileVerb.LIST:
            # It is longer than a control may be.
            await stream.write(orjson.dumps(piece))
        else:
            await stream.send_control(piece)
    await stream.write_eof()
    return None


def _request_of(params: Params) -> FileRequest:
    """Raises Invalid."""
    try:
        verb = FileVerb(params.text("verb"))
    except ValueError as error:
        raise Unavailable("unknown_stream_kind", "This agent does not know how to do that; update it.") from error
    to = params.optional_text("to")
    mode = params.optional_number("mode")
    if mode is not None and not 0 <= mode <= _PERMISSIONS:
        raise Invalid("bad_stream_params", "A mode is a number from 0 to 07777.", field="mode")
    length = params.optional_number("length")
    return FileRequest(
        verb=verb,
        path=_path(params.text("path")),
        to=None if to is None else _path(to),
        mode=mode,
        parents=params.flag("parents"),
        recursive=params.flag("recursive"),
        overwrite=params.flag("overwrite"),
        is_content=params.flag("isContent"),
        top=_name(params.optional_text("top")),
        is_look=params.flag("isLook"),
        offset=params.number("offset", default=0, lowest=-_LARGEST, highest=_LARGEST),
        length=None if length is None else max(0, length),
        after=params.optional_text("after") or "",
        limit=params.number("limit", default=MAX_ENTRIES, lowest=1, highest=MAX_ENTRIES),
        if_version=params.optional_text("ifVersion"),
        if_missing=params.flag("ifMissing"),
        unless_version=params.optional_text("unlessVersion"),
        only_of=params.optional_text("onlyOf"),
    )


def _name(text: str | None) -> str | None:
    if text is not None and ("/" in text or text in ("", ".", "..")):
        raise Invalid("path_unusable", "A name is one part of a path.")
    return text


def _path(text: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        size = 0
    if not (text.startswith("/") and size <= MAX_PATH_BYTES):
        raise Invalid("path_unusable", f"A path begins with a slash and has at most {MAX_PATH_BYTES} bytes.")
    return text


def _explained(refused: FileRefused, asked: FileRequest) -> Conflict:
    """As a sentence for who asked, with the path where it failed."""
    path: Any = refused.fields.get("path") or asked.path
    sentence = _SENTENCES.get(refused.code)
    if sentence is None:
        return Conflict("files_failed", f"The worker's file system refuses: {refused.message or refused.code}: {path}")
    return Conflict(refused.code, f"{sentence}: {path}")
