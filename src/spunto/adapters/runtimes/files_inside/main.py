"""The helper's process: one request about the files of a container, served as its own user, and the end.

It is started by the agent without any of the agent's packages, with a socket for its stdin and the container's
directory of /proc as the descriptor that its arguments name.
"""

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

from spunto.adapters.runtimes.files_inside import archives, single
from spunto.adapters.runtimes.files_inside.entering import enter
from spunto.adapters.runtimes.files_inside.tree import Fault, Tree
from spunto.adapters.runtimes.files_inside.wire import GoneError, Line
from spunto.core.kernel.unpacking import TreeUnusable

_SOCKET = 0
_VERBS: dict[str, Callable[[Tree, Line, dict[str, Any]], None]] = {
    "list": single.list_directory,
    "look": single.look,
    "make": single.make,
    "move": single.move,
    "pack": archives.pack,
    "read": single.read,
    "remove": single.remove,
    "unpack": archives.unpack,
    "write": single.write,
}
_CODES = {
    errno.EACCES: "file_not_permitted",
    errno.EBUSY: "file_busy",
    errno.EDQUOT: "file_system_full",
    errno.EEXIST: "file_exists",
    errno.EFBIG: "file_too_large",
    errno.EINVAL: "path_unusable",
    errno.EISDIR: "file_is_directory",
    errno.ELOOP: "too_many_symlinks",
    errno.EMLINK: "too_many_symlinks",
    errno.ENAMETOOLONG: "path_unusable",
    errno.ENOENT: "file_not_found",
    errno.ENOSPC: "file_system_full",
    errno.ENOTDIR: "file_not_directory",
    errno.ENOTEMPTY: "directory_not_empty",
    errno.ENXIO: "file_not_regular",
    errno.EPERM: "file_not_permitted",
    errno.EROFS: "file_system_read_only",
    errno.ESRCH: "worker_not_running",
    errno.ETXTBSY: "file_busy",
    errno.EXDEV: "file_on_other_disk",
}


def main() -> None:
    line = Line(_SOCKET)
    try:
        asked = line.hear()
        try:
            tree = Tree(*enter(int(sys.argv[2])))
        except OSError as error:
            line.say({"fault": "files_out_of_reach", "words": str(error)})
            line.hear_out()
            return
        try:
            _VERBS[asked["verb"]](tree, line, asked)
            line.say_all()
        except (Fault, TreeUnusable) as fault:
            line.say({"fault": fault.code, "path": fault.path.decode(errors="replace")})
        except OSError as error:
            line.say(_told(error, asked))
        line.hear_out()
    except GoneError:
        sys.exit(1)


def _told(error: OSError, asked: dict[str, Any]) -> dict[str, Any]:
    code = _CODES.get(error.errno or 0, "files_failed")
    words = os.strerror(error.errno) if error.errno else type(error).__name__
    return {"fault": code, "path": asked["path"], "words": words}
