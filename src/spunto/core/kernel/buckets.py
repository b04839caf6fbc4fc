"""Token buckets: how often something may happen, and how long to wait where it was too often."""

from dataclasses import dataclass

MAX_KEYS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`burst` at once, and after that `per_second` for good."""

    per_second: float
    burst: int


class Buckets:
    """One bucket a key, all of one rate. At most `max_keys` are remembered, those that were used last.

    Of a bucket only the time is kept at which it will be full again, which says as much as its level
    (the generic cell rate algorithm, https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
    """

    def __init__(self, rate: Rate, *, max_keys: int = MAX_KEYS) -> None:
        self._interval_seconds = 1 / rate.per_second
        self._slack_seconds = (rate.burst - 1) / rate.per_second
        self._max_keys = max_keys
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, *, now: float) -> float:
        """Take one token. 0.0 where there was one; otherwise nothing is taken, and it says in how many seconds."""
        wait_seconds = self.wait_seconds(key, now=now)
        if wait_seconds > 0:
            return wait_seconds
        # Taken out and put in again, so that the first is the one that was used longest ago.
        full_at = max(self._full_at.pop(key, now), now)
        if len(self._full_at) >= self._max_keys:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[key] = full_at + self._interval_seconds
        return 0.0

    def wait_seconds(self, key: str, *, now: float) -> float:
        """In how many seconds there is a token; 0.0 where there is one."""
        return max(0.0, self._full_at.get(key, now) - now - self._slack_seconds)
