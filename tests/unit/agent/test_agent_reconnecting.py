"""When the agent dials again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.protocol import closing
from spunto.core.protocol.events import Closed
from spunto_agent.reconnecting import FAST, SLOW, Outage, wait_seconds


def waits(
    code: int, *, attempts: int = 20, outage_seconds: float = 0.0, retry_after: float | None = None
) -> list[float]:
    """The shortest and the longest wait."""
    closed = Closed(code=code, reason="x", retry_after_seconds=retry_after)
    outage = Outage(since=0.0, attempts=attempts)
    found = [wait_seconds(closed, outage, now=outage_seconds, jitter=jitter) for jitter in (0.0, 1.0)]
    return [wait for wait in found if wait is not None]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (closing.UNAUTHENTICATED, []),
        (closing.FORBIDDEN, []),
        (closing.SUPERSEDED, [60.0, 90.0]),
        (closing.RESTARTING, [0.0, 3.0]),
        (closing.BUSY, [15.0, 30.0]),
        (closing.BAD_PROTOCOL, [15.0, 30.0]),
        (1006, [0.0, 3.0]),
    ],
)
def test_each_close_code_has_its_wait(code: int, expected: list[float]) -> None:
    assert waits(code) == expected


def test_what_the_server_asks_for_is_obeyed() -> None:
    assert waits(closing.BUSY, retry_after=120) == [120.0, 150.0]
    assert waits(closing.SUPERSEDED, retry_after=5) == [60.0, 90.0]
    assert waits(closing.UNAUTHENTICATED, retry_after=5) == []


@given(st.integers(0, 10**6), st.floats(0, 1e6), st.floats(0, 1))
def test_waits_grow_with_full_jitter_up_to_a_cap(attempts: int, outage_seconds: float, jitter: float) -> None:
    outage = Outage(since=0.0, attempts=attempts)

    wait = wait_seconds(Closed(code=1006, reason=""), outage, now=outage_seconds, jitter=jitter)

    cap = FAST.cap_seconds if outage_seconds < 60 else SLOW.cap_seconds
    assert wait == jitter * min(cap, 0.5 * 2.0 ** min(attempts, 16))


def test_a_connection_that_held_begins_a_new_outage() -> None:
    outage = Outage(since=0.0, attempts=7)

    assert outage.after(connected_seconds=60, now=100) == Outage(since=100)


def test_a_server_that_restarts_soon_after_a_connect_is_back_within_three_seconds() -> None:
    outage = Outage(since=0.0, attempts=7)

    short = outage.after(connected_seconds=20, now=100)
    refused = short.after(connected_seconds=0, now=101).after(connected_seconds=0, now=103)

    assert (short, refused) == (Outage(since=100, attempts=8), Outage(since=100, attempts=10))
    assert wait_seconds(Closed(code=1006, reason="unreachable"), refused, now=103, jitter=1.0) == 3.0
