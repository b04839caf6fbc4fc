"""A tree of files as a tar stream: nothing is held but the piece that is on its way.

Every step is taken from a descriptor of a directory and no link is ever followed, so that nobody who changes the tree
meanwhile leads out of it.
"""

import os
import stat
import tarfile
from collections.abc import Iterator
from typing import Final

PIECE_BYTES: Final = 256 * 1024
UNREAD: Final = "SPUNTO.unread"
"""In the last entry of an archive: how many things of the tree could not be put into it."""
MAX_DEPTH: Final = 256
_MAX_TOLD: Final = 20
_MAX_LINKED: Final = 100_000
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Packing:
    """Makes one archive. Afterwards `unread_count` and `unread` tell what is not in it."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], bytes] = {}
        self._waiting = bytearray()
        self.unread: list[bytes] = []
        self.unread_count = 0

    def of(self, parent: int, name: bytes, *, shown: bytes) -> Iterator[bytes]:
        """The file of that name in the directory, or the directory with all in it, shown by that name."""
        yield from self._entry(parent, name, shown, depth=0)
        yield from self._end(shown)

    def of_content(self, directory: int) -> Iterator[bytes]:
        """What is in the directory."""
        yield from self._content(directory, b"", depth=0)
        yield from self._end(b".")

    def _content(self, directory: int, under: bytes, *, depth: int) -> Iterator[bytes]:
        with os.scandir(directory) as entries:
            for each in entries:
                name = os.fsencode(each.name)
                yield from self._entry(directory, name, under + name, depth=depth)

    def _entry(self, parent: int, name: bytes, path: bytes, *, depth: int) -> Iterator[bytes]:
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                yield from self._directory(parent, name, path, found, depth=depth)
            elif stat.S_ISREG(found.st_mode):
                yield from self._file(parent, name, path)
            elif stat.S_ISLNK(found.st_mode):
                yield from self._head(path, found, tarfile.SYMTYPE, link=os.readlink(name, dir_fd=parent))
            else:
                self._miss(path)
        except OSError:
            self._miss(path)

    def _directory(
        self, parent: int, name: bytes, path: bytes, found: os.stat_result, *, depth: int
    ) -> Iterator[bytes]:
        if depth >= MAX_DEPTH:
            self._miss(path)
            return
        directory = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            yield from self._head(path, found, tarfile.DIRTYPE)
            yield from self._content(directory, path + b"/", depth=depth + 1)
        finally:
            os.close(directory)

    def _file(self, parent: int, name: bytes, path: bytes) -> Iterator[bytes]:
        file = os.open(name, _READ, dir_fd=parent)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                self._miss(path)
                return
            key = (found.st_dev, found.st_ino)
            if found.st_nlink > 1 and key in self._seen:
                yield from self._head(path, found, tarfile.LNKTYPE, link=self._seen[key])
                return
            if found.st_nlink > 1 and len(self._seen) < _MAX_LINKED:
                self._seen[key] = path
            yield from self._head(path, found, tarfile.REGTYPE, size=found.st_size)
            yield from self._bytes(file, found.st_size, path)
        finally:
            os.close(file)

    def _bytes(self, file: int, size: int, path: bytes) -> Iterator[bytes]:
        """As many as the head says: of a file that has shrunk meanwhile the rest is zeros."""
        left = size
        while left:
            piece = os.read(file, min(left, PIECE_BYTES))
            if not piece:
                self._miss(path)
                break
            left -= len(piece)
            yield from self._add(piece)
        while left:
            zeros = bytes(min(left, PIECE_BYTES))
            left -= len(zeros)
            yield from self._add(zeros)
        yield from self._add(bytes(-size % tarfile.BLOCKSIZE))

    def _head(
        self, path: bytes, found: os.stat_result, kind: bytes, *, link: bytes = b"", size: int = 0
    ) -> Iterator[bytes]:
        head = tarfile.TarInfo(os.fsdecode(path))
        head.type, head.linkname, head.size = kind, os.fsdecode(link), size
        head.mode, head.mtime = stat.S_IMODE(found.st_mode), found.st_mtime_ns / 1e9
        head.uid, head.gid = found.st_uid, found.st_gid
        yield from self._add(head.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def _end(self, top: bytes) -> Iterator[bytes]:
        if self.unread_count:
            # A directory that is told twice is one; readers that don't know the record pass over it.
            last = tarfile.TarInfo(os.fsdecode(top))
            last.type, last.mode = tarfile.DIRTYPE, 0o755
            last.pax_headers = {UNREAD: str(self.unread_count)}
            yield from self._add(last.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        yield bytes(self._waiting) + bytes(2 * tarfile.BLOCKSIZE)
        self._waiting.clear()

    def _add(self, data: bytes) -> Iterator[bytes]:
        """Heads wait for company; a large piece goes by itself, uncopied."""
        if len(data) >= PIECE_BYTES // 2:
            if self._waiting:
                yield bytes(self._waiting)
                self._waiting.clear()
            yield data
            return
        self._waiting += data
        if len(self._waiting) >= PIECE_BYTES // 2:
            yield bytes(self._waiting)
            self._waiting.clear()

    def _miss(self, path: bytes) -> None:
        self.unread_count += 1
        if len(self.unread) < _MAX_TOLD:
            self.unread.append(path)
