"""Connections on which nothing is under way end after a while, and soon when the server stops."""

import asyncio
from dataclasses import dataclass, field

from hypercorn.asyncio.task_group import TaskGroup

from spunto.entrypoints.serving.idle import Ending, IdleTimer

SOON, NEVER = 0.01, 3600.0


@dataclass
class Connection:
    idle_seconds: float = NEVER
    grace_seconds: float = NEVER
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def end(self) -> None:
        self.ended.set()


async def idle(connection: Connection, ending: Ending, group: TaskGroup) -> IdleTimer:
    timer = IdleTimer(connection, ending)
    await timer.restart(group, connection.end)
    return timer


async def test_who_sends_nothing_is_sent_away_after_a_while() -> None:
    connection = Connection(idle_seconds=SOON)

    async with asyncio.timeout(5), TaskGroup(asyncio.get_running_loop()) as group:
        await idle(connection, Ending(), group)
        await connection.ended.wait()


async def test_a_server_that_stops_waits_for_nobody_who_is_idle_before_or_from_then_on() -> None:
    before, after, ending = Connection(grace_seconds=SOON), Connection(grace_seconds=SOON), Ending()

    async with asyncio.timeout(5), TaskGroup(asyncio.get_running_loop()) as group:
        await idle(before, ending, group)
        await ending.set()
        await idle(after, ending, group)
        await before.ended.wait()
        await after.ended.wait()


async def test_who_is_being_served_is_not_idle() -> None:
    busy, other, ending = Connection(idle_seconds=SOON, grace_seconds=SOON), Connection(idle_seconds=2 * SOON), Ending()

    async with asyncio.timeout(5), TaskGroup(asyncio.get_running_loop()) as group:
        timer = await idle(busy, ending, group)
        await timer.stop()
        await idle(other, ending, group)
        await other.ended.wait()
        await ending.set()

    assert not busy.ended.is_set()
