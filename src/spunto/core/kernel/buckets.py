"""Token buckets: how often something may happen, and how long to wait where it was too often."""

import math
from dataclasses import dataclass

MAX_KEYS = 50_000
# More than what is lost when many intervals are added up.
_ROUNDING_SECONDS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`burst` at once, and after that `per_second` for good."""

    per_second: float
    burst: int


class Bucket:
    """One bucket, which is full at first.

    Only the time is kept at which it will be full again, which says as much as its level
    (the generic cell rate algorithm, https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
    """

    __slots__ = ("_full_at", "_interval_seconds", "_slack_seconds")

    def __init__(self, rate: Rate) -> None:
        self._interval_seconds = 1 / rate.per_second
        self._slack_seconds = (rate.burst - 1) / rate.per_second
        self._full_at = -math.inf

    def take(self, now: float) -> float:
        """Take one token. 0.0 where there was one; otherwise nothing is taken, and it says in how many seconds."""
        wait_seconds = self.wait_seconds(now)
        if wait_seconds <= 0:
            self._full_at = max(self._full_at, now) + self._interval_seconds
        return wait_seconds

    def wait_seconds(self, now: float) -> float:
        """In how many seconds there is a token; 0.0 where there is one."""
        wait_seconds = self._full_at - now - self._slack_seconds
        return wait_seconds if wait_seconds > _ROUNDING_SECONDS else 0.0


class Buckets:
    """One bucket a key, all of one rate. At most `max_keys` are remembered, those that were used last."""

    def __init__(self, rate: Rate, *, max_keys: int = MAX_KEYS) -> None:
        self._rate = rate
        self._max_keys = max_keys
        self._buckets: dict[str, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, *, now: float) -> float:
        """As of the key's bucket."""
        bucket = self._buckets.get(key) or Bucket(self._rate)
        wait_seconds = bucket.take(now)
        if wait_seconds <= 0:
            # Taken out and put in again, so that the first is the one that was used longest ago.
            self._buckets.pop(key, None)
            if len(self._buckets) >= self._max_keys:
                del self._buckets[next(iter(self._buckets))]
            self._buckets[key] = bucket
        return wait_seconds

    def wait_seconds(self, key: str, *, now: float) -> float:
        bucket = self._buckets.get(key)
        return 0.0 if bucket is None else bucket.wait_seconds(now)
