"""Hints: they save waiting, are never lost on who subscribed, and reach nobody else."""

import asyncio

from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.wakeups import Wakeups


async def test_a_hint_that_came_while_busy_ends_the_next_wait_at_once() -> None:
    wakeups = Wakeups(ManualClock())
    with wakeups.subscribe("topic") as wakeup:
        wakeups.hint("topic")
        wakeups.hint("topic")

        await wakeup.wait(max_seconds=1000)


async def test_several_hints_are_one() -> None:
    clock = ManualClock()
    wakeups = Wakeups(clock)
    with wakeups.subscribe("topic") as wakeup:
        wakeups.hint("topic")
        wakeups.hint("topic")
        await wakeup.wait(max_seconds=1000)
        waiting = asyncio.ensure_future(wakeup.wait(max_seconds=1000))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert not waiting.done()

        clock.advance(1000)
        await waiting


async def test_a_hint_wakes_who_waits_on_its_topic_alone() -> None:
    clock = ManualClock()
    wakeups = Wakeups(clock)
    with wakeups.subscribe("one") as one, wakeups.subscribe("other") as other:
        waiting = asyncio.ensure_future(one.wait(max_seconds=1000))
        not_meant = asyncio.ensure_future(other.wait(max_seconds=1000))
        await asyncio.sleep(0)
        wakeups.hint("one")

        await waiting
        assert not not_meant.done()

        clock.advance(1000)
        await not_meant


async def test_without_a_hint_the_wait_ends_in_time() -> None:
    clock = ManualClock()
    with Wakeups(clock).subscribe("topic") as wakeup:
        waiting = asyncio.ensure_future(wakeup.wait(max_seconds=5))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        clock.advance(5)

        await waiting

    assert clock.next_wake_seconds() is None


def test_listeners_hear_every_hint_and_waiters_that_left_none() -> None:
    wakeups = Wakeups(ManualClock())
    heard: list[str] = []
    wakeups.listen("topic", lambda: heard.append("hint"))
    with wakeups.subscribe("topic"):
        pass

    wakeups.hint("topic")
    wakeups.hint("topic")

    assert heard == ["hint", "hint"]
