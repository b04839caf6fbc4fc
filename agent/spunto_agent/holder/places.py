"""What lies where in a holder's directory, which is its user's alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HOLDER_DIRECTORY: Final = "holder"
"""Below the agent's data directory."""


def socket_file(directory: Path) -> Path:
    return directory / "socket"


def lock_file(directory: Path) -> Path:
    """Locked by the holder that is there, and has its pid in it."""
    return directory / "lock"


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name of the same place that fits into a socket's address, which has 107 bytes. Raises OSError."""
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
