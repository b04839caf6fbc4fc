"""Token buckets: how often something may happen, and how long to wait where it was too often."""

import math
from dataclasses import dataclass
from typing import NamedTuple

MAX_KEYS = 50_000
# More than what is lost when many intervals are added up.
_ROUNDING_SECONDS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`burst` at once, and after that `per_second` for good."""

    per_second: float
    burst: int


class Level(NamedTuple):
    """How full a bucket is: `left` of `burst` now, and full again in `full_seconds`."""

    burst: int
    left: int
    full_seconds: float


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

    def missing_seconds(self, now: float) -> float:
        """In how many seconds it is full."""
        return max(0.0, self._full_at - now)


class Buckets:
    """One bucket a key, all of one rate. At most `max_keys` are remembered, those that were used last."""

    def __init__(self, rate: Rate, *, max_keys: int = MAX_KEYS) -> None:
        self.rate = rate
        self._max_keys = max_keys
        self._buckets: dict[str, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, *, now: float) -> float:
        """As of the key's bucket."""
        bucket = self._buckets.get(key) or Bucket(self.rate)
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

    def level(self, key: str, *, now: float) -> Level:
        """How full the key's bucket is; nothing is taken."""
        bucket = self._buckets.get(key)
        full_seconds = 0.0 if bucket is None else bucket.missing_seconds(now)
        taken = math.ceil(full_seconds * self.rate.per_second - _ROUNDING_SECONDS)
        return Level(burst=self.rate.burst, left=max(0, self.rate.burst - taken), full_seconds=full_seconds)
