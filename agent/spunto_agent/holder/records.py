"""Which shells the holder has begun, on the disk: what a holder that dies leaves behind is hung up by the next."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from spunto_agent.holder.shell import Place

_SUFFIX: Final = ".shell"


class Records:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, place: Place) -> None:
        """Before the shell is begun. A disk that takes nothing only costs the tidying up after a crash."""
        fields = {"engine": place.engine, "url": place.url, "container": place.container}
        with suppress(OSError):
            self._file(place.mark).write_text(json.dumps(fields))

    def drop(self, mark: str) -> None:
        with suppress(OSError):
            self._file(mark).unlink(missing_ok=True)

    def left(self) -> Sequence[Place]:
        """Those of a holder before this one."""
        found = []
        for file in sorted(self._directory.glob(f"*{_SUFFIX}")):
            try:
                found.append(Place(mark=file.stem, **json.loads(file.read_text())))
            except (OSError, ValueError, TypeError):
                # Not written to its end, so that its shell was never begun.
                self.drop(file.stem)
        return found

    def _file(self, mark: str) -> Path:
        return self._directory / f"{mark}{_SUFFIX}"
