"""Waits grow to a cap, and chance has no more than its share of them."""

from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.backoff import BackOff

SHARES = st.floats(0, 1)


def test_each_failure_doubles_the_wait_up_to_the_cap() -> None:
    back_off = BackOff(base_seconds=0.5, cap_seconds=3)

    assert [back_off.seconds(failures) for failures in range(5)] == [0.5, 1, 2, 3, 3]


def test_chance_takes_what_is_not_always_waited() -> None:
    back_off = BackOff(base_seconds=2, cap_seconds=2, least=0.25)

    assert [back_off.seconds(0, jitter=jitter) for jitter in (0, 0.5, 1)] == [0.5, 1.25, 2]


@given(st.integers(0, 10**9), SHARES, SHARES)
def test_every_wait_lies_between_its_least_share_and_the_cap(failures: int, least: float, jitter: float) -> None:
    seconds = BackOff(base_seconds=1, cap_seconds=30, least=least).seconds(failures, jitter=jitter)

    assert least <= seconds + 1e-9
    assert seconds <= 30 + 1e-9
