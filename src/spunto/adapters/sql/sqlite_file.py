"""The file of an SQLite database before anything opens it: private, usable, and migrated by one process at a time."""

import asyncio
import fcntl
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path

from spunto.core.kernel.errors import Invalid, Unavailable

_PRIVATE = 0o600
_TURN_POLL_SECONDS = 0.02


def make_usable(file: Path) -> None:
    """Make it where it is missing, and let nobody but its owner read it, whatever its directory allows.

    Raises Invalid `database_not_usable` for what only a person can mend, Unavailable for a full disk.
    """
    try:
        # SQLite makes files beside its own, so that the directory must be writable too.
        with tempfile.TemporaryFile(dir=file.parent):
            pass
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, _PRIVATE))
        # The files beside it get its mode when SQLite makes them.
        for each in (file, *(file.with_name(file.name + suffix) for suffix in ("-wal", "-shm"))):
            if each.exists() and stat.S_IMODE(each.stat().st_mode) != _PRIVATE:
                each.chmod(_PRIVATE)
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise Unavailable("database_unavailable", f"There is no room for {file}.") from error
        raise Invalid("database_not_usable", f"The database {file} can't be used.") from error


@asynccontextmanager
async def in_turn_on(file: Path, *, seconds: float) -> AsyncIterator[None]:
    """Hold the turn of this file among all processes, waiting for whoever has it; a process that dies gives it up.

    The directory is what is locked: SQLite's own locks are on the file, and a third file would be left behind.
    Raises Unavailable `database_unavailable`.
    """
    descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        async with asyncio.timeout(seconds):
            while not _taken(descriptor):  # noqa: ASYNC110 - the kernel tells nobody when the lock is free
                await asyncio.sleep(_TURN_POLL_SECONDS)
    except TimeoutError as error:
        os.close(descriptor)
        raise Unavailable("database_unavailable", f"Another process has been migrating {file} for too long.") from error
    except BaseException:
        os.close(descriptor)
        raise
    try:
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
