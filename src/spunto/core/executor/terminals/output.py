"""A terminal's output by absolute offsets: its end in memory, more of it on the disk, and what is older is gone."""

from collections.abc import Callable
from typing import Protocol

from spunto.core.executor.terminals.ring import Ring

Share = Callable[[], int]
"""How many bytes one terminal may keep in memory now."""


class Spill(Protocol):
    """The stretch before the one in memory, which begins at `end`. It is empty where `start` and `end` are equal."""

    start: int
    end: int

    def append(self, data: bytes) -> None:
        """Keep it behind what is there. A disk that takes nothing empties it."""

    def read(self, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from an offset between `start` and `end`."""

    def close(self) -> None: ...


class Output:
    def __init__(self, share: Share, spill: Spill | None = None) -> None:
        self._ring = Ring(share)
        self._spill = spill

    @property
    def start(self) -> int:
        """The offset of the oldest byte that is still kept."""
        return self._ring.start if self._spill is None else self._spill.start

    @property
    def end(self) -> int:
        return self._ring.end

    def append(self, data: bytes) -> None:
        excess = self._ring.append(data)
        if excess and self._spill is not None:
            self._spill.append(excess)

    def read(self, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from an offset between `start` and `end`; empty at the end alone."""
        if self._spill is not None and offset < self._ring.start:
            return self._spill.read(offset, limit)
        return self._ring.read(offset, limit)

    def close(self) -> None:
        if self._spill is not None:
            self._spill.close()
