"""Unix sockets between the processes of one machine: nobody but their owner gets in."""

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from spunto.core.kernel.errors import Invalid

MAX_PATH_BYTES: Final = 107
"""Of the system (unix(7)), without the final zero."""
_CREDENTIALS: Final = struct.Struct("3i")
_ROOT: Final = 0


@contextmanager
def listening_on_socket(path: Path) -> Iterator[socket.socket]:
    """The socket to serve on, bound now, in the place of one that nobody serves any more. Raises Invalid."""
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise Invalid("cannot_listen", f"the socket's path has more than {MAX_PATH_BYTES} bytes: {path}")
    if _is_served(path):
        raise Invalid("cannot_listen", f"another server listens on {path}")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = path.parent.stat()
    if folder.st_uid != os.geteuid() or folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Invalid("cannot_listen", f"{path.parent} is not this user's alone; others could take the socket's place")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with suppress(FileNotFoundError):
            path.unlink()
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        except OSError as error:
            raise Invalid("cannot_listen", f"can't listen on {path}") from error
        finally:
            os.umask(before)
        yield listener


def is_of_owner(connected: socket.socket) -> bool:
    """Whether the process at the other end is of the same user as this one, or root."""
    told = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(told)
    return user in (_ROOT, os.geteuid())


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            trial.connect(str(path))
        except OSError:
            return False
    return True
