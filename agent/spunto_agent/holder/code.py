"""Tells one holder's code from another's: an upgrade of the agent need not have changed it."""

from binascii import crc32
from pathlib import Path

from spunto.core.executor.terminals import port


def installed_code() -> str:
    """A mark of the code that lies on the disk now; a running holder tells the one of its start."""
    mark = 0
    for directory in (Path(__file__).parent, Path(port.__file__).parent):
        for file in sorted(directory.glob("*.py")):
            mark = crc32(file.read_bytes(), mark)
    return f"{mark:08x}"
