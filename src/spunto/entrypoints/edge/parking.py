"""Where requests wait while what they are for comes up: bounded in time, in number, and for each target."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from spunto.core.kernel.errors import QuotaExceeded

MAX_OF_A_TARGET: Final = 64
MAX_IN_ALL: Final = 2000
PARKED_SECONDS: Final = 30.0
_AGAIN_SECONDS: Final = 2.0


class Parking:
    def __init__(self, *, of_a_target: int = MAX_OF_A_TARGET, in_all: int = MAX_IN_ALL) -> None:
        self._of_a_target = of_a_target
        self._in_all = in_all
        self._parked: Counter[str] = Counter()

    @property
    def parked(self) -> int:
        return self._parked.total()

    @contextmanager
    def place(self, target: str) -> Iterator[None]:
        """A place for one request. Raises QuotaExceeded `busy`."""
        if self._parked[target] >= self._of_a_target or self.parked >= self._in_all:
            raise QuotaExceeded(
                "busy", "Too many requests wait for this; try again shortly.", retry_after_seconds=_AGAIN_SECONDS
            )
        self._parked[target] += 1
        try:
            yield
        finally:
            self._parked[target] -= 1
            if not self._parked[target]:
                del self._parked[target]
