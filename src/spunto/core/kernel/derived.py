"""What was made of a thing that never changes, for as long as it is the very same thing that is asked about."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

S = TypeVar("S")
V = TypeVar("V")


class Derived(Generic[S, V]):
    """Of at most `capacity` things; of an equal one that is another object it is made anew.

    `keeps` says of what was made whether it is worth its memory.
    """

    def __init__(self, *, capacity: int, keeps: Callable[[V], bool] = lambda _: True) -> None:
        self._capacity = capacity
        self._keeps = keeps
        # With the thing itself: as long as it is kept, no other one has its identity.
        self._made: dict[tuple[int, Hashable], tuple[S, V]] = {}

    def of(self, source: S, detail: Hashable, make: Callable[[], V]) -> V:
        """Made of the thing and of the detail, which is all that `make` may look at."""
        key = (id(source), detail)
        known = self._made.get(key)
        if known is not None:
            return known[1]
        made = make()
        if not self._keeps(made):
            return made
        if len(self._made) >= self._capacity:
            self._made.clear()
        self._made[key] = (source, made)
        return made
