"""One process with reconcile loops on a SQLite file; several would undo each other's work."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spunto.adapters.sql.urls import is_sqlite, parsed
from spunto.core.kernel.errors import Conflict, Unavailable


@contextmanager
def alone_on(url: str) -> Iterator[None]:
    """Hold the file until the end; Postgres is for many, and free. The lock ends with its process, however that ends.

    Raises Conflict `database_in_use` where somebody else holds it, Unavailable `database_unavailable` where nothing
    can be written beside it.
    """
    target = parsed(url)
    if not is_sqlite(target) or target.database is None:
        yield
        return
    # Not the database itself: closing a second descriptor of it would drop the locks that SQLite holds.
    file = Path(f"{target.database}.lock")
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable("database_unavailable", f"can't write {file}: {error.strerror}") from error
    try:
        _take(descriptor, target.database)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, database: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Conflict(
            "database_in_use",
            f"Another process runs Spunto on {database}. Stop it first, or use its API; "
            "`spunto db` and `spunto keys` work beside it.",
        ) from error
