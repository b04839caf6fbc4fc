"""Whole trees of the container, in both directions."""

import os
import stat
from collections.abc import Iterator
from typing import Any

from spunto.adapters.runtimes.files_inside.tree import Tree
from spunto.adapters.runtimes.files_inside.wire import Line
from spunto.core.kernel.packing import Packing
from spunto.core.kernel.unpacking import Unpacking


def pack(tree: Tree, line: Line, asked: dict[str, Any]) -> None:
    """The file, or the directory with all in it, under the path's own name, or with `isContent` what is in it."""
    path = os.fsencode(asked["path"])
    packing = Packing()
    if asked.get("isContent") or not path.strip(b"/"):
        pieces = packing.of_content(tree.directory(path))
    else:
        parent, name = tree.target(path)
        if stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            # All that was asked for is this: that it can't be read is the answer, and nothing that was left out.
            os.close(tree.readable(path))
        pieces = packing.of(parent, name, shown=os.path.basename(path.rstrip(b"/")))
    line.say({"ready": True})
    for piece in pieces:
        line.send(piece)
    told = [each.decode(errors="replace") for each in packing.unread]
    line.say({"unread": packing.unread_count, "unreadPaths": told})


def unpack(tree: Tree, line: Line, asked: dict[str, Any]) -> None:
    """Put what the archive holds below the directory, by `top` under another first name."""
    path = os.fsencode(asked["path"])
    directory = tree.made(path) if asked.get("parents") else tree.directory(path)
    top = asked.get("top")
    line.say({"ready": True})
    body = _Body(line.body())
    unpacking = Unpacking(directory, top=None if top is None else os.fsencode(top))
    unpacking.all(body)
    body.drain()
    line.say({"entries": unpacking.entries})


class _Body:
    """The body as a file that can only be read on."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        found, missing = [], size
        while missing:
            piece = self._rest or next(self._pieces, b"")
            if not piece:
                break
            found.append(piece[:missing])
            self._rest = piece[missing:]
            missing -= len(found[-1])
        return found[0] if len(found) == 1 else b"".join(found)

    def drain(self) -> None:
        """What stands behind the archive's end must be taken as well: the body's end says that it is whole."""
        for _ in self._pieces:
            pass
