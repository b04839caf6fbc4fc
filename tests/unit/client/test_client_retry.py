"""Which requests are sent again, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.client.retry import NO_RETRY, Fault, Repeat, RetryPolicy

POLICY = RetryPolicy(attempts=4, base_seconds=0.2, cap_seconds=3.0, patience_seconds=10.0)


@pytest.mark.parametrize(
    ("repeat", "repeated_after"),
    [
        (Repeat.ALWAYS, {Fault.UNSENT, Fault.REFUSED, Fault.ANSWER_LOST}),
        (Repeat.REFUSED, {Fault.UNSENT, Fault.REFUSED}),
        (Repeat.UNSENT, {Fault.UNSENT}),
    ],
)
def test_a_request_is_repeated_only_where_it_can_not_take_effect_twice(
    repeat: Repeat, repeated_after: set[Fault]
) -> None:
    repeated = {fault for fault in Fault if POLICY.delay_seconds(fault, repeat, attempt=1, jitter=0.0) is not None}

    assert repeated == repeated_after


def test_the_waits_grow_and_end() -> None:
    delays = [POLICY.delay_seconds(Fault.UNSENT, Repeat.ALWAYS, attempt=attempt, jitter=0.0) for attempt in range(1, 5)]

    assert delays == [0.1, 0.2, 0.4, None]


def test_a_server_that_says_when_is_not_asked_earlier() -> None:
    delay = POLICY.delay_seconds(Fault.REFUSED, Repeat.ALWAYS, attempt=1, jitter=0.0, retry_after_seconds=3.0)

    assert delay == 3.1


def test_a_server_that_wants_too_much_patience_is_not_waited_for() -> None:
    delay = POLICY.delay_seconds(Fault.REFUSED, Repeat.ALWAYS, attempt=1, jitter=0.0, retry_after_seconds=11.0)

    assert delay is None


def test_without_retries_the_first_failure_is_the_last() -> None:
    assert NO_RETRY.delay_seconds(Fault.UNSENT, Repeat.ALWAYS, attempt=1, jitter=0.0) is None


@given(
    attempt=st.integers(1, 3),
    jitter=st.floats(0, 1, exclude_max=True),
    retry_after_seconds=st.none() | st.floats(0, 10),
)
def test_every_wait_is_bounded(attempt: int, jitter: float, retry_after_seconds: float | None) -> None:
    delay = POLICY.delay_seconds(
        Fault.REFUSED, Repeat.ALWAYS, attempt=attempt, jitter=jitter, retry_after_seconds=retry_after_seconds
    )

    assert delay is not None
    assert (retry_after_seconds or 0) < delay <= 13
