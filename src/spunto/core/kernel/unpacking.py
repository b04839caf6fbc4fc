"""A tar stream as a tree of files: each file is there as a whole or not at all.

Every step is taken from a descriptor of a directory and no link is ever followed, so that neither the archive nor
somebody who changes the tree meanwhile leads out of it.
"""

import errno
import os
import stat
import tarfile
from typing import Final, Protocol

from spunto.core.kernel.packing import MAX_DEPTH, PIECE_BYTES, UNREAD

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TreeUnusable(Exception):
    """An archive or a tree that nothing can be done with: `code` for programs, `path` where it is."""

    def __init__(self, code: str, path: bytes) -> None:
        super().__init__(code)
        self.code = code
        self.path = path


class Readable(Protocol):
    def read(self, size: int, /) -> bytes:
        """Fewer bytes than asked for only at the end."""


class Unpacking:
    """Makes an archive's entries below a directory. With `top` the first name of each path is that instead.

    `modes` are the bits that an entry may set. Afterwards `entries` and `unread_count` tell what there was.
    """

    def __init__(self, root: int, *, top: bytes | None = None, modes: int = 0o7777) -> None:
        self._root = root
        self._top = top
        self._modes = modes
        self._directories: list[tuple[list[bytes], int, float]] = []
        self.entries = 0
        self.unread_count = 0

    def all(self, source: Readable) -> None:
        """Each entry of the archive. Raises TreeUnusable, and OSError with the path as its filename."""
        try:
            with tarfile.open(fileobj=source, mode="r|", bufsize=PIECE_BYTES) as archive:  # type: ignore[call-overload]  # any reader does
                for entry in archive:
                    self._one(archive, entry)
                    # It keeps every entry that it has given.
                    archive.members = []
        except tarfile.TarError as error:
            raise TreeUnusable("archive_unreadable", b"") from error
        # Last, because a directory that may not be written to takes nothing.
        for parts, mode, at in reversed(self._directories):
            self._finish_directory(parts, mode, at)

    def _one(self, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        path = os.fsencode(entry.name)
        if UNREAD in entry.pax_headers:
            self.unread_count = _count(entry.pax_headers[UNREAD])
            return
        parts = self._parts(path)
        if not parts:
            return
        self.entries += 1
        try:
            self._make(archive, entry, parts)
        except OSError as error:
            error.filename = path
            raise

    def _make(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, parts: list[bytes]) -> None:
        if entry.isdir():
            os.close(self._directory(parts))
            self._directories.append((parts, entry.mode & self._modes, entry.mtime))
            return
        parent = self._directory(parts[:-1])
        try:
            if entry.isreg():
                self._write(archive, entry, parent, parts[-1])
            elif entry.issym():
                _clear(parent, parts[-1])
                os.symlink(os.fsencode(entry.linkname), parts[-1], dir_fd=parent)
            elif entry.islnk():
                self._link(os.fsencode(entry.linkname), parent, parts[-1])
            else:
                raise TreeUnusable("archive_entry_unusable", b"/".join(parts))
        finally:
            os.close(parent)

    def _write(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, parent: int, name: bytes) -> None:
        own_name = partial_name(name)
        content = archive.extractfile(entry)
        assert content is not None  # noqa: S101 - of a regular file there is one
        file = os.open(own_name, _NEW, 0o600, dir_fd=parent)
        try:
            try:
                while piece := content.read(PIECE_BYTES):
                    write_all(file, piece)
                os.fchmod(file, entry.mode & self._modes)
                os.utime(file, (entry.mtime, entry.mtime))
            finally:
                os.close(file)
            os.rename(own_name, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            os.unlink(own_name, dir_fd=parent)
            raise

    def _link(self, target: bytes, parent: int, name: bytes) -> None:
        parts = self._parts(target)
        if not parts:
            raise TreeUnusable("archive_entry_unusable", target)
        source = self._directory(parts[:-1])
        try:
            _clear(parent, name)
            os.link(parts[-1], name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def _directory(self, parts: list[bytes]) -> int:
        """Opened, made where it is missing; a link of that name makes way, as with tar."""
        if len(parts) > MAX_DEPTH:
            raise TreeUnusable("tree_too_deep", b"/".join(parts))
        current = os.dup(self._root)
        for part in parts:
            try:
                below = _directory_at(current, part)
            finally:
                os.close(current)
            current = below
        return current

    def _finish_directory(self, parts: list[bytes], mode: int, at: float) -> None:
        directory = self._directory(parts)
        try:
            os.fchmod(directory, mode)
            os.utime(directory, (at, at))
        except PermissionError:
            # One that was there before and is somebody else's.
            return
        finally:
            os.close(directory)

    def _parts(self, path: bytes) -> list[bytes]:
        parts = [part for part in path.split(b"/") if part not in (b"", b".")]
        if b".." in parts:
            raise TreeUnusable("archive_entry_unusable", path)
        return [self._top, *parts[1:]] if parts and self._top is not None else parts


def partial_name(name: bytes) -> bytes:
    """What a file is called until it is whole."""
    return b".%s.%s.partial" % (name[:200], os.urandom(6).hex().encode())


def write_all(file: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(file, left) :]


def _directory_at(parent: int, name: bytes) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR) or not _is_link(parent, name):
            raise
        os.unlink(name, dir_fd=parent)
    # Its own mode comes when all that belongs into it is there.
    os.mkdir(name, 0o777, dir_fd=parent)
    return os.open(name, _DIRECTORY, dir_fd=parent)


def _is_link(parent: int, name: bytes) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _clear(parent: int, name: bytes) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
