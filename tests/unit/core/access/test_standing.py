"""Whoever holds something open loses it when the right to it is lost, wherever it was taken."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.builders import ORG, OTHER_USER, USER
from tests.unit.core.memory import Memory

from spunto.core.access.model import Actor, SessionId
from spunto.core.access.policy import Action, Role
from spunto.core.access.standing import LOOK_SECONDS, RECHECK_SECONDS
from spunto.core.kernel.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.model import Membership
from spunto.testing.settling import settle

Background = Callable[[Any], "asyncio.Task[None]"]


class Holder:
    """Somebody with something open, and how often they were checked."""

    def __init__(self, memory: Memory, token: Secret, action: Action = Action.WORKER_READ) -> None:
        self._memory = memory
        self._token = token
        self._action = action
        self.checks = 0

    async def open(self) -> None:
        actor = await self._memory.access.authenticate(self._token)
        await self._memory.standing.watch(actor, self._check)

    async def _check(self) -> Actor:
        self.checks += 1
        actor = await self._memory.access.authenticate(self._token)
        actor.require(self._action, org_id=ORG)
        return actor


async def holding(memory: Memory, background: Background, *, user_id: Any = OTHER_USER, **more: Any) -> Any:
    """A holder, the task in which it holds, and its session."""
    opened = await memory.access.open_session(user_id)
    holder = Holder(memory, opened.token, **more)
    task = background(holder.open())
    await settle()
    return holder, task, opened.session


async def test_who_keeps_the_right_is_hardly_asked(memory: Memory, background: Background) -> None:
    _ = background(memory.standing.run())
    holder, task, _ = await holding(memory, background)

    for _ in range(int(RECHECK_SECONDS / LOOK_SECONDS)):
        memory.clock.advance(LOOK_SECONDS)
        await settle()

    assert (holder.checks, task.done()) == (1, False)


async def test_a_session_ended_by_another_server_is_noticed_at_the_next_look(
    memory: Memory, background: Background
) -> None:
    _ = background(memory.standing.run())
    _, task, session = await holding(memory, background)
    async with memory.store() as tx:
        await tx.sessions.revoke(SessionId(session.id), at=memory.clock.now())
        await tx.commit()

    memory.clock.advance(LOOK_SECONDS)
    await settle()

    assert isinstance(task.exception(), Unauthenticated)


async def test_what_ends_here_is_noticed_at_once(memory: Memory, background: Background) -> None:
    _ = background(memory.standing.run())
    holder, task, _ = await holding(memory, background)

    await memory.members.remove(memory.owner, ORG, OTHER_USER)
    await settle()

    assert isinstance(task.exception(), NotFound)
    assert holder.checks == 1


async def test_an_end_by_age_is_noticed_too(memory: Memory, background: Background) -> None:
    _ = background(memory.standing.run())
    opened = await memory.access.open_session(OTHER_USER, idle=None, lifetime=timedelta(seconds=10))
    task = background(Holder(memory, opened.token).open())
    await settle()

    memory.clock.advance(9)
    await settle()
    still_open = not task.done()
    memory.clock.advance(LOOK_SECONDS)
    await settle()

    assert still_open
    assert isinstance(task.exception(), Unauthenticated)


async def test_a_lost_role_takes_what_needs_it_and_leaves_the_rest(memory: Memory, background: Background) -> None:
    _ = background(memory.standing.run())
    await memory.members.change_role(memory.owner, ORG, OTHER_USER, Role.ADMIN)
    reader, reading, _ = await holding(memory, background)
    _, draining, _ = await holding(memory, background, action=Action.NODE_DRAIN)
    bystander, _, _ = await holding(memory, background, user_id=USER)

    async with memory.store() as tx:
        await tx.members.update(
            Membership(org_id=ORG, user_id=OTHER_USER, role=Role.MEMBER, joined_at=memory.clock.now())
        )
        await tx.commit()
    for _ in range(3):
        memory.clock.advance(LOOK_SECONDS)
        await settle()

    assert isinstance(draining.exception(), Forbidden)
    assert not reading.done()
    # The reader is known as a member from then on.
    assert (reader.checks, bystander.checks) == (1, 0)


async def test_a_database_that_is_away_takes_nobody_s_rights(memory: Memory, background: Background) -> None:
    _ = background(memory.standing.run())
    _, task, session = await holding(memory, background)
    async with memory.store() as tx:
        await tx.sessions.revoke(SessionId(session.id), at=memory.clock.now())
        await tx.commit()
    reading = memory.racing.reading

    def away() -> AbstractAsyncContextManager[Any]:
        raise Unavailable("database_unavailable", "Later.")

    memory.racing.reading = away  # type: ignore[method-assign]  # the outage
    memory.clock.advance(LOOK_SECONDS)
    await settle()
    during = task.done()
    memory.racing.reading = reading  # type: ignore[method-assign]  # its end
    memory.clock.advance(LOOK_SECONDS)
    await settle()

    assert not during
    assert isinstance(task.exception(), Unauthenticated)


async def test_without_anybody_nothing_is_looked_at(memory: Memory, background: Background) -> None:
    _ = background(memory.standing.run())
    _, task, _ = await holding(memory, background)
    task.cancel()
    await settle()
    memory.clock.advance(LOOK_SECONDS)
    await settle()

    waiting_seconds = memory.clock.next_wake_seconds()

    assert waiting_seconds is None or waiting_seconds > RECHECK_SECONDS


@pytest.mark.parametrize("with_watcher", [False, True])
async def test_a_check_comes_now_and_then_in_any_case(
    memory: Memory, background: Background, *, with_watcher: bool
) -> None:
    if with_watcher:
        _ = background(memory.standing.run())
    holder, _, _ = await holding(memory, background)

    memory.clock.advance(RECHECK_SECONDS)
    await settle()

    assert holder.checks == 1
