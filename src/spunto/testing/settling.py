"""Lets an event loop work until nobody has anything to do any more, without a second of real time passing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from spunto.core.kernel.clock import ManualClock

T = TypeVar("T")

MAX_TURNS = 100_000
"""What a settling may take at most; more is two parts of the product keeping one another busy."""


class NeverSettles(AssertionError):
    """Somebody always has something to do; the message names who."""


async def settle() -> None:
    """Return when every other task of the loop waits for something that has not happened yet."""
    loop = asyncio.get_running_loop()
    for _ in range(MAX_TURNS):
        await asyncio.sleep(0)
        if not _is_anything_due(loop):
            return
    here = asyncio.current_task()
    busy = sorted(task.get_name() for task in asyncio.all_tasks() if task is not here and _is_busy(task))
    raise NeverSettles(f"Still busy after {MAX_TURNS} turns: {', '.join(busy)}")


async def advance(clock: ManualClock, seconds: float, *, passed_over: Callable[[float], None] = lambda _: None) -> None:
    """Let time pass from one sleeper's hour to the next, everybody done with each hour before the next one.

    Long times in which there is nothing but beats pass at once; `passed_over` is told how many seconds.
    """
    until = clock.monotonic() + seconds
    clock.stir()
    await settle()
    while (wake_seconds := clock.next_wake_seconds()) is not None and clock.monotonic() + wake_seconds <= until:
        if passed_seconds := clock.pass_over_beats(until - clock.monotonic()):
            passed_over(passed_seconds)
            continue
        clock.advance(wake_seconds)
        await settle()
    clock.advance(max(0.0, until - clock.monotonic()))
    await settle()


async def finish(clock: ManualClock, work: Awaitable[T], *, max_seconds: float) -> T:
    """Let time pass until the work is done; its answer. Raises TimeoutError after that much of the clock's time."""
    task = asyncio.ensure_future(work)
    until = clock.monotonic() + max_seconds
    try:
        await settle()
        while not task.done():
            wake_seconds = clock.next_wake_seconds()
            if wake_seconds is None or clock.monotonic() + wake_seconds > until:
                raise TimeoutError(f"Not done after {max_seconds:g} s of the harness's time.")
            clock.advance(wake_seconds)
            await settle()
        return task.result()
    finally:
        task.cancel()


def _is_anything_due(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether anything but the caller can run now: asyncio keeps that in a queue, from which the caller was taken."""
    return bool(loop._ready)  # type: ignore[attr-defined]  # noqa: SLF001 - no public way tells


def _is_busy(task: asyncio.Task[Any]) -> bool:
    """Whether the task can run now. No public way tells; anyio's `wait_all_tasks_blocked` looks at the same field."""
    waits_for = getattr(task, "_fut_waiter", None)
    return waits_for is None or waits_for.done()
