"""When a delivery that failed is tried again, and what counts as a failure."""

from datetime import datetime, timedelta
from typing import Final

from spunto.core.webhooks.model import Failure

DELAYS_SECONDS: Final = (5, 30, 2 * 60, 10 * 60, 3600, 6 * 3600, 24 * 3600)
"""Behind each failed attempt; after the last one there is no more. 31 hours in all."""
JITTER: Final = 0.2


def next_attempt_at(attempts: int, *, now: datetime, jitter: float) -> datetime | None:
    """The time after that many failed attempts. `jitter` in [0, 1) spreads it by a fifth to both sides."""
    if attempts > len(DELAYS_SECONDS):
        return None
    factor = 1 - JITTER + 2 * JITTER * jitter
    return now + timedelta(seconds=DELAYS_SECONDS[attempts - 1] * factor)


def failure_of(status: int) -> Failure | None:
    """What a status means for a delivery; None for a success."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Failure.REDIRECTED
    return Failure.GONE if status == 410 else Failure.STATUS
