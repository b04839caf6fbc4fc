"""Time that tests move: it wakes sleepers at their hour, neither before nor after."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.clock import ManualClock, SystemClock


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


async def test_a_timer_calls_once_at_its_hour() -> None:
    clock = ManualClock()
    called: list[float] = []
    clock.call_later(2, lambda: called.append(clock.monotonic()))

    for _ in range(4):
        clock.advance(1)

    assert called == [2]


async def test_a_cancelled_timer_calls_nobody() -> None:
    clock = ManualClock()
    called: list[str] = []
    timer = clock.call_later(1, lambda: called.append("late"))

    timer.cancel()
    clock.advance(1)
    timer.cancel()

    assert called == []
    assert clock.next_wake_seconds() is None


async def test_a_timer_without_delay_calls_when_the_loop_runs() -> None:
    called: list[str] = []
    ManualClock().call_later(0, lambda: called.append("now"))
    assert called == []

    await asyncio.sleep(0)

    assert called == ["now"]


async def test_a_sleeper_that_is_cancelled_at_its_hour_harms_nobody() -> None:
    clock = ManualClock()
    task = asyncio.ensure_future(clock.sleep(1.0))
    await asyncio.sleep(0)

    task.cancel()
    clock.advance(1)
    await asyncio.wait({task})

    assert task.cancelled()


async def beat(clock: ManualClock, seconds: float, told: list[float]) -> None:
    while True:
        await clock.beats.sleep(seconds)
        told.append(clock.monotonic())


async def a_quiet_clock(told: list[float]) -> tuple[ManualClock, asyncio.Task[None]]:
    clock = ManualClock()
    beating = asyncio.ensure_future(beat(clock, 50, told))
    for _ in range(4):
        await asyncio.sleep(0)
        clock.advance(50)
    await asyncio.sleep(0)
    return clock, beating


async def test_beats_are_passed_over_and_go_on_at_the_moments_at_which_they_would_have_come() -> None:
    told: list[float] = []
    clock, beating = await a_quiet_clock(told)
    assert clock.beats.monotonic() == 200

    assert clock.pass_over_beats(1000) == 960
    assert (clock.monotonic(), clock.beats.monotonic(), clock.next_wake_seconds()) == (1160, 200, 50)
    clock.advance(50)
    await asyncio.sleep(0)

    assert told == [50, 100, 150, 200, 1210]
    beating.cancel()


async def test_nobody_who_is_no_beat_is_passed_over() -> None:
    clock, beating = await a_quiet_clock([])
    called: list[float] = []
    clock.call_later(500, lambda: called.append(clock.monotonic()))

    assert clock.pass_over_beats(1000) == 480
    assert clock.pass_over_beats(1000) == 0
    clock.advance(20)

    assert called == [700]
    beating.cancel()


async def test_what_happens_is_given_its_time_before_beats_are_passed_over() -> None:
    clock, beating = await a_quiet_clock([])
    clock.call_later(10, lambda: None)
    clock.advance(10)
    assert clock.pass_over_beats(1000) == 0

    clock.advance(120)
    assert clock.pass_over_beats(1000) == 960
    clock.beats.call_later(10, lambda: None).cancel()

    assert clock.pass_over_beats(1000) == 0
    beating.cancel()


async def test_the_system_clock_calls_and_wakes() -> None:
    clock = SystemClock()
    called = asyncio.Event()
    never = clock.call_later(60, called.clear)
    clock.call_later(0, called.set)

    async with asyncio.timeout(10):
        await called.wait()
        await clock.sleep(0)
    never.cancel()
