"""Waiting for a worker."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice

import pytest

from spunto.client.errors import NotThere, ServerUnreachable, error_of
from spunto.client.watching import WorkerSettledElsewhere, has_arrived, poll_delays_seconds, watched
from spunto.client.wire import Failure
from spunto.client.worker_models import SetupStatus, Worker
from spunto.core.kernel.clock import Timer
from spunto.core.kernel.errors import SpuntoError


def a_worker(state: str, *, phase: str | None = None, error: str | None = None) -> Worker:
    return Worker(
        id="wkr_1",
        org_id="org_1",
        project_id="prj_1",
        name="fox",
        state=state,
        setup_status=None if phase is None else SetupStatus(phase=phase),
        error=None if error is None else Failure(code="image_not_found", message=error),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


class HurriedClock:
    """Sleeping takes no time; what was asked for is noted."""

    def __init__(self) -> None:
        self.slept_seconds: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return sum(self.slept_seconds)

    async def sleep(self, seconds: float) -> None:
        self.slept_seconds.append(seconds)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        self.slept_seconds.append(seconds)
        return asyncio.get_running_loop().call_soon(call)

    @property
    def beats(self) -> "HurriedClock":
        return self


GONE = error_of(404, {}, b"")


async def seen(answers: Sequence[Worker | SpuntoError], clock: HurriedClock) -> list[Worker]:
    left = iter(answers)

    async def fetch() -> Worker:
        answer = next(left)
        if isinstance(answer, SpuntoError):
            raise answer
        return answer

    return [worker async for worker in watched(fetch, clock=clock)]


async def test_every_change_is_told_once_until_the_worker_is_gone() -> None:
    queued, cloning, ready = (
        a_worker("spawning", phase="queued"),
        a_worker("spawning", phase="cloning"),
        a_worker("ready"),
    )

    changes = await seen([queued, queued, cloning, ready, ready, GONE], HurriedClock())

    assert changes == [queued, cloning, ready]


async def test_polling_is_quick_again_after_a_change() -> None:
    clock = HurriedClock()

    await seen([a_worker("spawning"), a_worker("spawning"), a_worker("ready"), GONE], clock)

    assert clock.slept_seconds == pytest.approx([0.05, 0.075, 0.05])


async def test_a_server_that_is_away_for_a_moment_is_no_news() -> None:
    away = ServerUnreachable("server_unreachable", "away")

    assert len(await seen([a_worker("spawning"), away, error_of(503, {}, b""), GONE], HurriedClock())) == 1


async def test_a_worker_that_never_was_is_an_error() -> None:
    with pytest.raises(NotThere):
        await seen([GONE], HurriedClock())


def test_polls_begin_at_50_ms_and_slow_down_to_one_second() -> None:
    delays = list(islice(poll_delays_seconds(), 20))

    assert (delays[0], delays[-1]) == (0.05, 1.0)
    assert delays == sorted(delays)


def test_a_worker_on_its_way_has_not_arrived() -> None:
    assert not has_arrived(a_worker("spawning"), until={"ready"})


def test_a_worker_may_be_waited_for_in_error() -> None:
    assert has_arrived(a_worker("error"), until={"error"})


def test_a_worker_in_error_never_arrives_and_says_why() -> None:
    with pytest.raises(WorkerSettledElsewhere, match="no such image") as failure:
        has_arrived(a_worker("error", error="no such image"), until={"ready"})

    assert failure.value.fields == {"workerId": "wkr_1", "state": "error"}
