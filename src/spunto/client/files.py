"""Files of a worker, for the client: read, write, list, move, remove, and whole trees as tar archives."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

from pydantic import Field

from spunto.client.api import Api, parsed
from spunto.client.inside_workers import AnyWorker, worker_path
from spunto.client.retry import Repeat
from spunto.client.wire import WireModel

# The server looks for a node's answer for a minute, and a large tree may take that.
_SILENCE_SECONDS = 90.0
_LARGEST_PAGE = 1000


class File(WireModel):
    """What is at a path of a worker. `mode` is octal, as `0644`; `target` is where a link leads."""

    path: str = ""
    name: str
    type: str
    size_bytes: int
    mode: str
    uid: int = 0
    gid: int = 0
    modified_at: datetime | None = None
    version: str = Field(default="", alias="etag")
    target: str | None = None

    @property
    def is_directory(self) -> bool:
        return self.type == "directory"


class FilePage(WireModel):
    items: tuple[File, ...]
    next_cursor: str | None = None


class Unpacked(WireModel):
    entries: int


class Files:
    """Paths are the worker's own, and everything is done as its user. Raises NotThere `file_not_found`, StateConflict
    with a code of their own for what the worker's file system refuses, NotNow `files_out_of_reach`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def stat(self, worker: AnyWorker, path: str) -> File:
        """What is there: a link itself, and not what it leads to."""
        return parsed(File, await self._api.request("GET", _path(worker), params={"path": path, "stat": ""}))

    async def list(self, worker: AnyWorker, path: str) -> AsyncIterator[File]:
        """What is in the directory, by name."""
        cursor: str | None = None
        while True:
            params = {"path": path, "list": "", "limit": _LARGEST_PAGE, "cursor": cursor}
            page = parsed(FilePage, await self._api.request("GET", _path(worker), params=params))
            for each in page.items:
                yield each
            cursor = page.next_cursor
            if cursor is None:
                return

    def open(
        self, worker: AnyWorker, path: str, *, offset: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The file's bytes as they come, or those of the part from `offset` on; what breaks off raises."""
        headers = {"Accept": "application/octet-stream", **_range(offset, length)}
        return self._api.stream(_path(worker), params={"path": path}, headers=headers, silence_seconds=_SILENCE_SECONDS)

    async def read(self, worker: AnyWorker, path: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """The same as a whole, in memory."""
        async with self.open(worker, path, offset=offset, length=length) as pieces:
            return b"".join([piece async for piece in pieces])

    async def write(
        self,
        worker: AnyWorker,
        path: str,
        content: bytes | AsyncIterable[bytes],
        *,
        mode: int | None = None,
        parents: bool = False,
        create: bool = False,
        if_match: str | None = None,
    ) -> File:
        """Make the content the file, as a whole or not at all; one that was there keeps its mode.

        With `create` nothing may be there, with `if_match` only that version. Bytes are sent again where the answer is
        lost; an iterable is sent once.
        """
        params = {
            "path": path,
            "mode": None if mode is None else f"{mode:04o}",
            **_flags(parents=parents, create=create),
        }
        headers = {} if if_match is None else {"If-Match": if_match}
        return parsed(File, await self._api.upload(_path(worker), content, params=params, headers=headers))

    async def make_directory(self, worker: AnyWorker, path: str, *, parents: bool = False) -> File:
        """One that is there already is success."""
        params = {"path": path, "directory": "", **_flags(parents=parents)}
        return parsed(File, await self._api.request("PUT", _path(worker), params=params))

    async def move(
        self, worker: AnyWorker, path: str, to: str, *, overwrite: bool = False, parents: bool = False
    ) -> File:
        """Raises StateConflict `file_exists` where something is there already."""
        body = {"from": path, "to": to, "overwrite": overwrite, "parents": parents}
        # The second would find nothing to move.
        return parsed(File, await self._api.request("POST", f"{_path(worker)}/move", body=body, repeat=Repeat.REFUSED))

    async def remove(self, worker: AnyWorker, path: str, *, recursive: bool = False) -> None:
        """A link itself; a directory with all that is in it only with `recursive`."""
        params = {"path": path, **_flags(recursive=recursive)}
        await self._api.request("DELETE", _path(worker), params=params, repeat=Repeat.REFUSED)

    def pack(
        self, worker: AnyWorker, path: str, *, is_content: bool = False
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A tar archive of the file or tree under its own name, or of what is in it, as it comes."""
        params = {"path": path, "archive": "", **_flags(content=is_content)}
        headers = {"Accept": "application/x-tar"}
        return self._api.stream(_path(worker), params=params, headers=headers, silence_seconds=_SILENCE_SECONDS)

    async def unpack(
        self,
        worker: AnyWorker,
        path: str,
        archive: bytes | AsyncIterable[bytes],
        *,
        parents: bool = False,
        name: str | None = None,
    ) -> int:
        """Put what the tar archive holds below the directory; `name` stands for the first one of each path in it.

        Gives how many entries there were.
        """
        params = {"path": path, "archive": "", "as": name, **_flags(parents=parents)}
        return parsed(Unpacked, await self._api.upload(_path(worker), archive, params=params)).entries


def _path(worker: AnyWorker) -> str:
    return f"{worker_path(worker)}/files"


def _flags(**flags: bool) -> Mapping[str, Any]:
    """Flags are said by being there."""
    return {name: "" for name, is_set in flags.items() if is_set}


def _range(offset: int, length: int | None) -> Mapping[str, str]:
    if offset < 0:
        return {"Range": f"bytes={offset}"}
    if length is not None:
        return {"Range": f"bytes={offset}-{offset + length - 1}"}
    return {"Range": f"bytes={offset}-"} if offset else {}
