"""A Postgres that keeps its promises: the tests' own server waits for no disk, and would make commits look free."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.fixtures.scripts import answer_of


@contextmanager
def durable_postgres() -> Iterator[str]:
    """The URL of an empty database on a new cluster with Postgres' own settings, `fsync` among them."""
    answer_of("postgres")  # Installs it where it is missing.
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="spunto-pg-"))
    data = folder / "data"
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        _as_owner(programs / "initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "-D", data)
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=200"
        _as_owner(programs / "pg_ctl", "start", "-w", "-D", data, "-l", folder / "log", "-o", options)
        try:
            yield f"postgresql+asyncpg://postgres@/postgres?host={folder}"
        finally:
            _as_owner(programs / "pg_ctl", "stop", "-w", "-m", "fast", "-D", data)
    finally:
        shutil.rmtree(folder)


def _as_owner(*command: str | Path) -> None:
    """PostgreSQL refuses to run as root."""
    owner: Sequence[str] = ()
    if os.geteuid() == 0:
        owner = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    subprocess.run([*owner, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/")
