"""Work on the files of the fake engine's containers: no links, and told as by a real engine."""

import asyncio
import io
import tarfile
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zlib import crc32

from spunto.adapters.memory.runtime_commands import Files
from spunto.core.executor.file_work import FileRefused
from spunto.core.specs.files import TAKES_BODY, FileRequest, FileVerb

_PIECE_BYTES = 256 * 1024
_OF_ROOT = ("/etc", "/usr", "/root", "/proc", "/sys")
Answer = bytes | dict[str, Any]


class FakeFileWork:
    """`FileWork` whose bodies are gathered: what is broken off leaves nothing behind."""

    def __init__(self, files: Files, asked: FileRequest, *, user: str, now: datetime) -> None:
        self._tree = _Tree(files, is_root=user.partition(":")[0] in ("root", "0"), now=now)
        self._asked = asked
        self._body = bytearray()
        self._answers: deque[Answer] = deque()
        self._refused: FileRefused | None = None
        self._over = asyncio.Event()
        if asked.verb in TAKES_BODY:
            self._answer(self._begin)
        else:
            self._answer(lambda: _VERBS[asked.verb](self._tree, asked))
            self._over.set()

    async def next(self) -> Answer | None:
        if self._answers:
            return self._answers.popleft()
        if self._refused is None:
            await self._over.wait()
        if self._answers:
            return self._answers.popleft()
        if self._refused is not None:
            raise self._refused
        return None

    async def write(self, data: bytes) -> None:
        self._body += data

    async def write_end(self) -> None:
        if not self._over.is_set() and self._refused is None:
            self._answer(lambda: _BODIES[self._asked.verb](self._tree, self._asked, bytes(self._body)))
            self._over.set()

    async def aclose(self) -> None:
        self._over.set()

    def _begin(self) -> Iterator[Answer]:
        self._tree.require_writable(self._asked.path)
        if self._asked.verb is FileVerb.WRITE:
            self._tree.require_replaceable(self._asked)
        elif not self._asked.parents:
            self._tree.require_directory(self._asked.path)
        yield {"ready": True}

    def _answer(self, work: Callable[[], Iterator[Answer]]) -> None:
        try:
            self._answers.extend(work())
        except FileRefused as refused:
            self._refused = refused


class _Tree:
    def __init__(self, files: Files, *, is_root: bool, now: datetime) -> None:
        self._files = files
        self._is_root = is_root
        self._now = now

    def content(self, path: str) -> bytes:
        found = self._files.read(path)
        if found is None:
            raise _refused("file_is_directory" if self._files.has_directory(path) else "file_not_found", path)
        return found

    def facts(self, path: str) -> dict[str, Any]:
        content = self._files.read(path)
        if content is None:
            self.require_directory(path)
        return {
            "name": path.rpartition("/")[2] or "/",
            "type": "directory" if content is None else "file",
            "sizeBytes": len(content or b""),
            "mode": self._files.modes.get(path, 0o755 if content is None else 0o644),
            "uid": 0 if self._is_root else 1000,
            "gid": 0 if self._is_root else 1000,
            "modifiedNs": int(self._now.timestamp() * 1_000_000_000),
            "version": f"{crc32(content or b''):x}-{len(content or b''):x}",
        }

    def names(self, directory: str) -> list[str]:
        self.require_directory(directory)
        above = "" if directory == "/" else directory
        every = (*self._files.paths(), *self._files.directories, *self._files.volumes)
        return sorted({path[len(above) + 1 :].partition("/")[0] for path in every if path.startswith(f"{above}/")})

    def require_directory(self, path: str) -> None:
        if self._files.read(path) is not None:
            raise _refused("file_not_directory", path)
        if not self._files.has_directory(path):
            raise _refused("file_not_found", path)

    def require_writable(self, path: str) -> None:
        if not self._is_root and f"{path}/".startswith(tuple(f"{each}/" for each in _OF_ROOT)):
            raise _refused("file_not_permitted", path)

    def require_replaceable(self, asked: FileRequest) -> None:
        if self._files.has_directory(asked.path):
            raise _refused("file_is_directory", asked.path)
        above = asked.path.rpartition("/")[0] or "/"
        if not asked.parents:
            self.require_directory(above)
        self.require_version(asked)

    def require_version(self, asked: FileRequest) -> None:
        there = self._files.read(asked.path) is not None
        if asked.if_missing and there:
            raise _refused("file_exists", asked.path)
        if asked.if_version is None:
            return
        versions = asked.if_version.split(",")
        if not there or not ("*" in versions or self.facts(asked.path)["version"] in versions):
            raise _refused("file_changed", asked.path)

    def put(self, path: str, content: bytes, mode: int | None) -> None:
        self.require_writable(path)
        self._files.write(path, content)
        if mode is not None:
            self._files.modes[path] = mode

    def make(self, path: str, mode: int | None = None) -> None:
        self.require_writable(path)
        if self._files.read(path) is not None:
            raise _refused("file_exists", path)
        self._files.directories.add(path)
        if mode is not None:
            self._files.modes[path] = mode

    def has(self, path: str) -> bool:
        return self._files.read(path) is not None or self._files.has_directory(path)

    def take(self, path: str) -> None:
        self.require_writable(path)
        self._files.directories.discard(path)
        self._files.modes.pop(path, None)
        self._files.remove(path)

    def below(self, path: str) -> Iterator[str]:
        """The path and all in it, each directory before what it holds."""
        yield path
        if self._files.read(path) is None:
            for name in self.names(path):
                yield from self.below(f"{path.rstrip('/')}/{name}")

    def is_directory(self, path: str) -> bool:
        return self._files.read(path) is None


def _read(tree: _Tree, asked: FileRequest) -> Iterator[Answer]:
    content = tree.content(asked.path)
    told = tree.facts(asked.path)
    offset, length = asked.offset, asked.length
    if asked.only_of not in (None, told["version"]):
        offset, length = 0, None
    begin = max(len(content) + offset, 0) if offset < 0 else min(offset, len(content))
    part = content[begin:] if length is None else content[begin : begin + length]
    is_unchanged = told["version"] in (asked.unless_version or "").split(",")
    is_part = bool(offset) or length is not None
    yield {**told, "offset": begin, "lengthBytes": len(part), "isPart": is_part, "isUnchanged": is_unchanged}
    if not (asked.is_look or is_unchanged):
        yield from _pieces(part)


def _look(tree: _Tree, asked: FileRequest) -> Iterator[Answer]:
    yield tree.facts(asked.path.rstrip("/") or "/")


def _list(tree: _Tree, asked: FileRequest) -> Iterator[Answer]:
    directory = asked.path.rstrip("/") or "/"
    after = b64decode(asked.after).decode()
    names = [name for name in tree.names(directory) if name > after]
    shown = names[: asked.limit]
    items = [tree.facts(f"{directory.rstrip('/')}/{name}") for name in shown]
    following = b64encode(shown[-1].encode()).decode() if len(names) > len(shown) else None
    yield {"items": items, "next": following}


def _make(tree: _Tree, asked: FileRequest) -> Iterator[Answer]:
    path = asked.path.rstrip("/")
    is_new = not tree.has(path)
    if not asked.parents:
        tree.require_directory(path.rpartition("/")[0] or "/")
    if is_new:
        tree.make(path, asked.mode)
    else:
        tree.require_directory(path)
    yield {**tree.facts(path), "created": is_new}


def _move(tree: _Tree, asked: FileRequest) -> Iterator[Answer]:
    to = asked.to or ""
    source = tree.facts(asked.path)
    if not asked.parents:
        tree.require_directory(to.rpartition("/")[0] or "/")
    if tree.has(to):
        if not asked.overwrite:
            raise _refused("file_exists", to)
        if tree.is_directory(to) != (source["type"] == "directory"):
            raise _refused("file_is_directory" if tree.is_directory(to) else "file_not_directory", to)
        if tree.is_directory(to) and tree.names(to):
            raise _refused("directory_not_empty", to)
    for path in list(tree.below(asked.path)):
        target, facts = to + path.removeprefix(asked.path), tree.facts(path)
        if facts["type"] == "directory":
            tree.make(target, facts["mode"])
        else:
            tree.put(target, tree.content(path), facts["mode"])
        tree.take(path)
    yield tree.facts(to)


def _remove(tree: _Tree, asked: FileRequest) -> Iterator[Answer]:
    path = asked.path.rstrip("/")
    tree.facts(path)
    tree.require_version(asked)
    everything = list(tree.below(path))
    if len(everything) > 1 and not asked.recursive:
        raise _refused("directory_not_empty", path)
    for each in reversed(everything):
        tree.take(each)
    yield {"removed": True}


def _pack(tree: _Tree, asked: FileRequest) -> Iterator[Answer]:
    path = asked.path.rstrip("/")
    tree.facts(path or "/")
    if asked.is_content:
        tree.require_directory(path or "/")
    above = path if asked.is_content else path.rpartition("/")[0]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each in tree.below(path or "/"):
            if each not in (above, "/"):
                facts = tree.facts(each)
                entry = tarfile.TarInfo(each.removeprefix(f"{above}/"))
                entry.mode, entry.mtime = facts["mode"], facts["modifiedNs"] // 1_000_000_000
                content = b"" if tree.is_directory(each) else tree.content(each)
                entry.type = tarfile.DIRTYPE if tree.is_directory(each) else tarfile.REGTYPE
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    yield {"ready": True}
    yield from _pieces(packed.getvalue())
    yield {"unread": 0, "unreadPaths": []}


def _write(tree: _Tree, asked: FileRequest, body: bytes) -> Iterator[Answer]:
    tree.require_replaceable(asked)
    is_new = not tree.has(asked.path)
    tree.put(asked.path, body, asked.mode)
    yield {**tree.facts(asked.path), "created": is_new}


def _unpack(tree: _Tree, asked: FileRequest, body: bytes) -> Iterator[Answer]:
    count = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:") as archive:
            for entry in archive:
                parts = [part for part in entry.name.split("/") if part not in ("", ".")]
                if ".." in parts or not (entry.isdir() or entry.isreg()):
                    raise _refused("archive_entry_unusable", entry.name)
                if asked.top is not None:
                    parts[:1] = [asked.top]
                path = "/".join((asked.path.rstrip("/"), *parts))
                content = archive.extractfile(entry)
                if content is not None:
                    tree.put(path, content.read(), entry.mode)
                elif not tree.has(path):
                    tree.make(path, entry.mode)
                count += 1
    except tarfile.TarError as error:
        raise _refused("archive_unreadable", asked.path) from error
    yield {"entries": count}


def _pieces(content: bytes) -> Iterator[bytes]:
    for begin in range(0, len(content), _PIECE_BYTES):
        yield content[begin : begin + _PIECE_BYTES]


def _refused(code: str, path: str) -> FileRefused:
    return FileRefused(code, "", path=path)


_VERBS: dict[FileVerb, Callable[[_Tree, FileRequest], Iterator[Answer]]] = {
    FileVerb.READ: _read,
    FileVerb.LOOK: _look,
    FileVerb.LIST: _list,
    FileVerb.MAKE: _make,
    FileVerb.MOVE: _move,
    FileVerb.REMOVE: _remove,
    FileVerb.PACK: _pack,
}
_BODIES: dict[FileVerb, Callable[[_Tree, FileRequest, bytes], Iterator[Answer]]] = {
    FileVerb.WRITE: _write,
    FileVerb.UNPACK: _unpack,
}
