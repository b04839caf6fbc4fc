"""Where requests wait while what they are for comes up: bounded in time, in number, and for each target.

Half of the places are kept for people and programs that are known, or strangers at a port that is open to everybody
would keep its owner out.
"""

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
        self._strangers: Counter[str] = Counter()

    @property
    def parked(self) -> int:
        return self._parked.total()

    @contextmanager
    def place(self, target: str) -> Iterator[None]:
        """A place for one request of somebody known. Raises QuotaExceeded `busy`."""
        with _counted(self._parked, target, of_a_target=self._of_a_target, in_all=self._in_all):
            yield

    @contextmanager
    def strangers_place(self, target: str) -> Iterator[None]:
        """A place for one request of anybody. Raises QuotaExceeded `busy`."""
        halves = {"of_a_target": self._of_a_target // 2, "in_all": self._in_all // 2}
        with self.place(target), _counted(self._strangers, target, **halves):
            yield


@contextmanager
def _counted(parked: Counter[str], target: str, *, of_a_target: int, in_all: int) -> Iterator[None]:
    if parked[target] >= of_a_target or parked.total() >= in_all:
        raise QuotaExceeded(
            "busy", "Too many requests wait for this; try again shortly.", retry_after_seconds=_AGAIN_SECONDS
        )
    parked[target] += 1
    try:
        yield
    finally:
        parked[target] -= 1
        if not parked[target]:
            del parked[target]
