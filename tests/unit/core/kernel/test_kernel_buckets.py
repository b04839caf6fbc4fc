"""Token buckets, against a bucket that is written as one thinks of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.buckets import Buckets, Rate

gaps = st.lists(st.floats(min_value=0, max_value=20), max_size=80)
rates = st.builds(Rate, per_second=st.floats(min_value=0.05, max_value=50), burst=st.integers(1, 20))
ROUNDING = 1e-6


class PlainBucket:
    """Holds tokens, and gets new ones as time passes."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.tokens = float(rate.burst)
        self.at = 0.0

    def tokens_at(self, now: float) -> float:
        return min(self.rate.burst, self.tokens + (now - self.at) * self.rate.per_second)

    def take(self, now: float) -> None:
        self.tokens, self.at = self.tokens_at(now) - 1, now


@given(rates, gaps)
def test_a_bucket_gives_what_a_plain_one_would(rate: Rate, gaps: list[float]) -> None:
    buckets, plain, now = Buckets(rate), PlainBucket(rate), 0.0
    for gap in gaps:
        now += gap
        tokens = plain.tokens_at(now)
        wait_seconds = buckets.take("a", now=now)

        if wait_seconds == 0:
            assert tokens >= 1 - ROUNDING
            plain.take(now)
        else:
            assert tokens < 1 + ROUNDING
            assert wait_seconds == pytest.approx((1 - tokens) / rate.per_second, abs=ROUNDING / rate.per_second)


@given(rates, gaps)
def test_never_more_than_the_burst_and_what_time_brought(rate: Rate, gaps: list[float]) -> None:
    buckets, now, taken = Buckets(rate), 0.0, 0
    for gap in gaps:
        now += gap
        taken += buckets.take("a", now=now) == 0

    assert taken <= rate.burst + math.floor(now * rate.per_second + ROUNDING)


@given(rates, gaps)
def test_who_waits_as_long_as_told_is_let_through(rate: Rate, gaps: list[float]) -> None:
    buckets, now = Buckets(rate), 0.0
    for gap in gaps:
        now += gap
        wait_seconds = buckets.take("a", now=now)
        if wait_seconds > 0:
            now += wait_seconds + ROUNDING
            assert buckets.take("a", now=now) == 0


def test_one_key_takes_nothing_from_another() -> None:
    buckets = Buckets(Rate(per_second=1, burst=1))

    assert [buckets.take(key, now=0) for key in ("a", "b", "a")] == [0, 0, 1]


def test_looking_takes_nothing() -> None:
    buckets = Buckets(Rate(per_second=1, burst=1))

    assert (buckets.wait_seconds("a", now=0), len(buckets), buckets.take("a", now=0)) == (0, 0, 0)


def test_of_too_many_keys_the_one_used_longest_ago_is_forgotten() -> None:
    buckets = Buckets(Rate(per_second=1, burst=2), max_keys=2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key, now=0)

    assert len(buckets) == 2
    assert buckets.wait_seconds("a", now=0) > 0
    assert buckets.take("b", now=0) == 0
