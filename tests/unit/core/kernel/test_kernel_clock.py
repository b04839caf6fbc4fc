"""Time that tests move: it wakes sleepers at their hour, neither before nor after."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.clock import ManualClock


async def sleep_and_tell(clock: ManualClock, seconds: float, told: list[float]) -> None:
    await clock.sleep(seconds)
    told.append(seconds)


async def test_sleepers_wake_in_the_order_of_their_hour() -> None:
    clock = ManualClock()
    told: list[float] = []

    async with asyncio.TaskGroup() as group:
        for seconds in (3.0, 1.0, 2.0):
            group.create_task(sleep_and_tell(clock, seconds, told))
        await asyncio.sleep(0)
        clock.advance(3)

    assert told == [1.0, 2.0, 3.0]


async def test_a_sleeper_wakes_at_its_hour_and_not_before() -> None:
    clock = ManualClock()
    told: list[float] = []

    async with asyncio.TaskGroup() as group:
        group.create_task(sleep_and_tell(clock, 1.0, told))
        await asyncio.sleep(0)
        clock.advance(0.999)
        await asyncio.sleep(0)
        assert told == []
        clock.advance(0.001)

    assert told == [1.0]


@given(st.floats(min_value=0, max_value=1e9), st.floats(min_value=1e-9, max_value=1e6))
def test_advancing_to_the_next_wake_up_always_wakes_somebody(elapsed_seconds: float, seconds: float) -> None:
    async def play() -> None:
        clock = ManualClock()
        clock.advance(elapsed_seconds)
        due_at = clock.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(clock.sleep(seconds))
            await asyncio.sleep(0)
            clock.advance(clock.next_wake_seconds() or 0.0)
        assert clock.next_wake_seconds() is None
        assert abs(clock.monotonic() - due_at) < 2e-6

    asyncio.run(play())


async def test_who_waits_until_a_moment_never_wakes_before_it() -> None:
    clock = ManualClock()
    clock.advance(0.1)
    until = clock.now().timestamp() + 0.3
    clock.advance(0.1)

    async with asyncio.TaskGroup() as group:
        group.create_task(clock.sleep(until - clock.now().timestamp()))
        await asyncio.sleep(0)
        clock.advance(clock.next_wake_seconds() or 0.0)

    assert clock.now().timestamp() >= until


async def test_a_cancelled_sleeper_is_nobody() -> None:
    clock = ManualClock()
    task = asyncio.ensure_future(clock.sleep(1.0))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})

    assert clock.next_wake_seconds() is None
