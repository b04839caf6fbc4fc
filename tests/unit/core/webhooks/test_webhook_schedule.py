"""When a delivery is tried again, and what counts as one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from spunto.core.webhooks.model import Failure
from spunto.core.webhooks.schedule import DELAYS_SECONDS, failure_of, next_attempt_at

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_delays_grow_for_a_day_and_then_it_is_over() -> None:
    found = [next_attempt_at(attempts, now=NOW, jitter=0.5) for attempts in range(1, 9)]

    assert [None if at is None else round((at - NOW).total_seconds()) for at in found] == [
        5, 30, 120, 600, 3600, 21600, 86400, None,
    ]  # fmt: skip


@given(integers(1, len(DELAYS_SECONDS)), floats(0, 1, exclude_max=True))
def test_jitter_moves_a_time_by_a_fifth_at_most(attempts: int, jitter: float) -> None:
    at = next_attempt_at(attempts, now=NOW, jitter=jitter)

    assert at is not None
    assert 0.8 <= (at - NOW).total_seconds() / DELAYS_SECONDS[attempts - 1] <= 1.2


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (200, None),
        (204, None),
        (299, None),
        (301, Failure.REDIRECTED),
        (307, Failure.REDIRECTED),
        (400, Failure.STATUS),
        (410, Failure.GONE),
        (429, Failure.STATUS),
        (500, Failure.STATUS),
    ],
)
def test_only_2xx_is_a_success(status: int, failure: Failure | None) -> None:
    assert failure_of(status) is failure
