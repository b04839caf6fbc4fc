"""One file or directory: read, write, look at, list, make, move, remove."""

import errno
import heapq
import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

from spunto.adapters.runtimes.files_inside.tree import DIRECTORY, Fault, Tree, facts, version_of
from spunto.adapters.runtimes.files_inside.wire import MAX_DATA_BYTES, Line
from spunto.core.kernel.unpacking import partial_name, write_all

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PERMISSIONS = 0o7777
_MAX_DEPTH = 256


def read(tree: Tree, line: Line, asked: dict[str, Any]) -> None:
    """What the file is, then its bytes from `offset` on, up to `length` of them where that is given.

    A negative offset counts from the end. Where the file shrinks meanwhile, fewer come than were told.
    """
    path = os.fsencode(asked["path"])
    file = tree.readable(path)
    found = os.fstat(file)
    told = facts(found, os.path.basename(path))
    offset, length = asked.get("offset", 0), asked.get("length")
    if asked.get("onlyOf", told["version"]) != told["version"]:
        offset, length = 0, None
    begin = max(found.st_size + offset, 0) if offset < 0 else min(offset, found.st_size)
    left = found.st_size - begin if length is None else min(length, found.st_size - begin)
    is_unchanged = _is_one_of(told["version"], asked.get("unlessVersion"))
    is_part = bool(offset) or length is not None
    line.say({**told, "offset": begin, "lengthBytes": left, "isPart": is_part, "isUnchanged": is_unchanged})
    if asked.get("isLook") or is_unchanged:
        return
    # What /proc and its like make up has no size of its own.
    endless = found.st_size == 0 and not is_part
    buffer = memoryview(bytearray(MAX_DATA_BYTES))
    while left or endless:
        size = os.preadv(file, [buffer if endless else buffer[: min(left, MAX_DATA_BYTES)]], begin)
        if size == 0:
            break
        line.send(buffer[:size])
        begin += size
        left = max(left - size, 0)


def write(tree: Tree, line: Line, asked: dict[str, Any]) -> None:
    """What comes, as a whole or not at all; whoever reads meanwhile reads what was there before."""
    path = os.fsencode(asked["path"])
    if path.endswith(b"/"):
        raise Fault("file_is_directory", path)
    if asked.get("parents"):
        os.close(tree.made(os.path.dirname(path) or b"/"))
    directory, name = tree.target(path)
    before = _before(directory, name, path)
    _require(asked, before, path)
    mode = asked.get("mode")
    own_name = partial_name(name)
    file = os.open(own_name, _NEW, 0o666 if before is None and mode is None else 0o600, dir_fd=directory)
    try:
        line.say({"ready": True})
        for piece in line.body():
            write_all(file, piece)
        if mode is None and before is not None:
            mode = before.st_mode
        if mode is not None:
            os.fchmod(file, mode & _PERMISSIONS)
        _put_in_place(directory, own_name, name, asked, path)
    except BaseException:
        os.unlink(own_name, dir_fd=directory)
        raise
    line.say({**facts(os.fstat(file), name), "created": before is None})


def look(tree: Tree, line: Line, asked: dict[str, Any]) -> None:
    """What is there; a link itself, and where it leads."""
    path = os.fsencode(asked["path"])
    if not path.strip(b"/"):
        line.say(facts(os.fstat(tree.found(b"/")), b"/"))
        return
    if path.endswith((b"/", b"/.", b"/..")):
        line.say(facts(os.fstat(tree.found(path)), os.path.basename(path.rstrip(b"/"))))
        return
    line.say(_facts_at(*tree.place(path)))


def list_directory(tree: Tree, line: Line, asked: dict[str, Any]) -> None:
    """What is in the directory by name, `limit` at most behind the name `after`, which is in base64 as `next` is."""
    directory = tree.directory(os.fsencode(asked["path"]))
    after, limit = b64decode(asked.get("after", "")), asked["limit"]
    # However many there are, no more are held than are told.
    names = heapq.nsmallest(limit + 1, _names_behind(directory, after))
    items = []
    for name in names[:limit]:
        try:
            items.append(_facts_at(directory, name))
        except FileNotFoundError:
            continue
    line.say({"items": items, "next": b64encode(names[limit - 1]).decode() if len(names) > limit else None})


def make(tree: Tree, line: Line, asked: dict[str, Any]) -> None:
    """The directory; one that is there already is success."""
    path = os.fsencode(asked["path"])
    if asked.get("parents"):
        is_new = _is_missing(tree, path)
        directory = tree.made(path)
    else:
        parent, name = tree.place(path)
        is_new = _made_at(parent, name)
        directory = tree.directory(path)
    if is_new and asked.get("mode") is not None:
        os.fchmod(directory, asked["mode"] & _PERMISSIONS)
    line.say({**facts(os.fstat(directory), os.path.basename(path.rstrip(b"/"))), "created": is_new})


def move(tree: Tree, line: Line, asked: dict[str, Any]) -> None:
    """Rename, also to another directory; a link itself and not what it leads to."""
    path, to = os.fsencode(asked["path"]), os.fsencode(asked["to"])
    source, name = tree.place(path)
    if asked.get("parents"):
        os.close(tree.made(os.path.dirname(to.rstrip(b"/")) or b"/"))
    directory, new_name = tree.place(to)
    if not asked.get("overwrite"):
        # Python has no rename that minds what is there; whoever makes the target this very moment loses it.
        _require_free(directory, new_name, to)
    try:
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=directory)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise Fault("file_on_other_disk", to) from error
        raise
    line.say(_facts_at(directory, new_name))


def remove(tree: Tree, line: Line, asked: dict[str, Any]) -> None:
    """A file, a link, or a directory: an empty one, or with all that is in it where that is asked for."""
    path = os.fsencode(asked["path"])
    directory, name = tree.place(path)
    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    _require(asked, found, path)
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(name, dir_fd=directory)
    elif asked.get("recursive"):
        _remove_tree(directory, name, path, depth=0)
    else:
        os.rmdir(name, dir_fd=directory)
    line.say({"removed": True})


def _remove_tree(parent: int, name: bytes, path: bytes, *, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise Fault("tree_too_deep", path)
    directory = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        # A directory that is read while it shrinks may leave out some of what is in it.
        while entries := _some_entries(directory):
            for entry, is_directory in entries:
                if is_directory:
                    _remove_tree(directory, entry, path + b"/" + entry, depth=depth + 1)
                else:
                    os.unlink(entry, dir_fd=directory)
    finally:
        os.close(directory)
    os.rmdir(name, dir_fd=parent)


def _some_entries(directory: int) -> list[tuple[bytes, bool]]:
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            found.append((os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)))
            if len(found) == 1000:
                break
    return found


def _names_behind(directory: int, after: bytes) -> Iterator[bytes]:
    with os.scandir(directory) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            if name > after:
                yield name


def _facts_at(directory: int, name: bytes) -> dict[str, Any]:
    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    is_link = stat.S_ISLNK(found.st_mode)
    return facts(found, name, target=os.readlink(name, dir_fd=directory) if is_link else None)


def _before(directory: int, name: bytes, path: bytes) -> os.stat_result | None:
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise Fault("file_is_directory", path)
    if not stat.S_ISREG(found.st_mode):
        raise Fault("file_not_regular", path)
    return found


def _require(asked: dict[str, Any], found: os.stat_result | None, path: bytes) -> None:
    """What the asker presumes of what is there; `*` is that something is."""
    wanted = asked.get("ifVersion")
    if wanted is not None and (found is None or not (wanted == "*" or _is_one_of(version_of(found), wanted))):
        raise Fault("file_changed", path)
    if asked.get("ifMissing") and found is not None:
        raise Fault("file_exists", path)


def _is_one_of(version: str, versions: str | None) -> bool:
    return versions is not None and version in versions.split(",")


def _put_in_place(directory: int, own_name: bytes, name: bytes, asked: dict[str, Any], path: bytes) -> None:
    if asked.get("ifMissing"):
        try:
            os.link(own_name, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        except FileExistsError as error:
            raise Fault("file_exists", path) from error
        os.unlink(own_name, dir_fd=directory)
        return
    _require(asked, _before(directory, name, path), path)
    os.rename(own_name, name, src_dir_fd=directory, dst_dir_fd=directory)


def _require_free(directory: int, name: bytes, path: bytes) -> None:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    raise Fault("file_exists", path)


def _is_missing(tree: Tree, path: bytes) -> bool:
    try:
        os.close(tree.found(path))
    except FileNotFoundError:
        return True
    return False


def _made_at(parent: int, name: bytes) -> bool:
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return False
    return True
