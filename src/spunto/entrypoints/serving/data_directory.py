"""The directory that a server keeps its things in, before anything is put there."""

import tempfile
from errno import EDQUOT, ENOSPC
from pathlib import Path

from spunto.core.kernel.errors import Invalid, Unavailable


def make_data_dir(path: Path) -> None:
    """Make sure of it; one that is made is open to nobody else.

    Raises Invalid `data_dir_not_usable` for what only a person can mend, Unavailable `disk_full`.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=path):
            pass
    except FileExistsError as error:
        raise Invalid("data_dir_not_usable", f"The data directory {path} is a file; name a directory.") from error
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise Unavailable("disk_full", f"There is no room in the data directory {path}.") from error
        raise Invalid("data_dir_not_usable", f"The data directory {path} can't be used.") from error
