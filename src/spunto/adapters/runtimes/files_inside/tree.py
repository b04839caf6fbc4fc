"""The container's files by path. Every step is taken from a descriptor, so that nothing can be swapped on the way."""

import errno
import os
import stat
from base64 import b64encode
from typing import Any

from spunto.adapters.runtimes.files_inside import system_calls

MAX_LINKS = 40
_AGAIN = 16
_FILE = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Fault(Exception):
    """What was asked for can't be: `code` for programs, `path` where it failed."""

    def __init__(self, code: str, path: bytes) -> None:
        super().__init__(code)
        self.code = code
        self.path = path


class Tree:
    """`root` is a descriptor of the container's `/`, `own_open` of this process's /proc/self/fd."""

    def __init__(self, root: int, own_open: int) -> None:
        self._root = root
        self._own_open = own_open

    def found(self, path: bytes) -> int:
        """A descriptor that only names what is there, links followed."""
        return self._open(path, os.O_PATH)

    def place(self, path: bytes) -> tuple[int, bytes]:
        """The directory of what the path names, links not followed at its end, and its name there."""
        directory, name = os.path.split(path.rstrip(b"/") or b"/")
        if name in (b"", b".", b".."):
            raise Fault("path_unusable", path)
        return self._open(directory, DIRECTORY | os.O_PATH), name

    def target(self, path: bytes) -> tuple[int, bytes]:
        """As `place`, links at its end followed: where a file of that path is to be written."""
        for _ in range(MAX_LINKS):
            directory, name = self.place(path)
            try:
                link = os.readlink(name, dir_fd=directory)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.ENOENT):
                    return directory, name
                raise
            os.close(directory)
            path = link if link.startswith(b"/") else os.path.dirname(path.rstrip(b"/")) + b"/" + link
        raise OSError(errno.ELOOP, "too many links", path)

    def readable(self, path: bytes) -> int:
        """A regular file, opened. Whatever else is there is never opened: a device does things by that alone."""
        found = self.found(path)
        try:
            mode = os.fstat(found).st_mode
            if stat.S_ISDIR(mode):
                raise Fault("file_is_directory", path)
            if not stat.S_ISREG(mode):
                raise Fault("file_not_regular", path)
            return os.open(str(found), os.O_RDONLY | _FILE, dir_fd=self._own_open)
        finally:
            os.close(found)

    def directory(self, path: bytes) -> int:
        return self._open(path, DIRECTORY)

    def made(self, path: bytes) -> int:
        """The directory, opened, made with those above it where they are not there."""
        try:
            return self.directory(path)
        except FileNotFoundError:
            above, name = os.path.split(path.rstrip(b"/"))
            if name in (b"", b".", b".."):
                raise
            parent = self.made(above or b"/")
            try:
                make_directory(parent, name)
            finally:
                os.close(parent)
            return self.directory(path)

    def _open(self, path: bytes, flags: int) -> int:
        for _ in range(_AGAIN):
            try:
                return system_calls.open_in_root(self._root, path or b"/", flags)
            except BlockingIOError:
                # Something was renamed on the way just now.
                continue
        raise OSError(errno.EAGAIN, "the path changes all the time", path)


def make_directory(parent: int, name: bytes) -> None:
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return


def facts(found: os.stat_result, name: bytes, *, target: bytes | None = None) -> dict[str, Any]:
    """What is told of a file."""
    told: dict[str, Any] = {
        **shown("name", name),
        "type": _type_of(found.st_mode),
        "sizeBytes": found.st_size,
        "mode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "modifiedNs": found.st_mtime_ns,
        "version": version_of(found),
    }
    if target is not None:
        told.update(shown("target", target))
    return told


def shown(field: str, name: bytes) -> dict[str, str]:
    """A name as text. Of one that is none the bytes are told beside it."""
    try:
        return {field: name.decode()}
    except UnicodeDecodeError:
        return {field: name.decode(errors="replace"), f"{field}Base64": b64encode(name).decode()}


def version_of(found: os.stat_result) -> str:
    """Another one after each change: what is renamed over a file is another inode, what is written changes a time."""
    return f"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}-{found.st_ctime_ns:x}"


def _type_of(mode: int) -> str:
    for is_one, name in ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "symlink")):
        if is_one(mode):
            return name
    return "other"
