"""Watches over those who hold something open, such as a terminal, that they still may."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

from spunto.core.access.model import Actor
from spunto.core.access.service import AccessService
from spunto.core.access.sessions import GRANTS_TOPIC
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.wakeups import Wakeup, Wakeups

# With the check that follows, what another server revokes reaches everybody here within 5 s.
LOOK_SECONDS: Final = 2.0
# What a check asks beside credentials and roles, such as whether the thing is there still, may take this long.
RECHECK_SECONDS: Final = 30.0

T = TypeVar("T")
Check = Callable[[], Awaitable[Actor]]


class Standing:
    """However many things are open, each look at all of their holders takes the same few queries."""

    def __init__(self, access: AccessService, *, clock: Clock, wakeups: Wakeups) -> None:
        self._access = access
        self._clock = clock
        self._seats: set[_Seat] = set()
        self._wakeup = Wakeup(clock)
        wakeups.listen(GRANTS_TOPIC, self._wakeup.hint)

    async def watch(self, actor: Actor, check: Check) -> None:
        """Run beside what the actor holds open. Raises what `check` refuses with; ends in no other way.

        `check` recognises the actor again and gives the one that it is now. It is called when the credential or a role
        has changed, and now and then. A database that is away takes nobody's rights.
        """
        seat = _Seat(actor, self._clock)
        self._seats.add(seat)
        # The actor may have been recognised a second ago.
        self._wakeup.hint()
        try:
            while True:
                await seat.wakeup.wait(max_seconds=RECHECK_SECONDS)
                with suppress(Unavailable):
                    seat.actor = await check()
        finally:
            self._seats.discard(seat)

    async def during(self, actor: Actor, check: Check, work: Coroutine[Any, Any, T]) -> T:
        """What the work gives. Who loses the right to it meanwhile ends it, and is told what `check` refuses with."""
        working = asyncio.create_task(work, name="work that needs a right")
        watching = asyncio.create_task(self.watch(actor, check), name="watch over a right")
        both = {working, watching}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            return await (working if working.done() else _refusal(watching))
        finally:
            for task in both:
                task.cancel()
            await asyncio.wait(both)

    async def run(self) -> None:
        """Look until cancelled: at every hint that rights have changed here, and regularly for what others change."""
        while True:
            await self._wakeup.wait(max_seconds=LOOK_SECONDS if self._seats else None)
            seats = list(self._seats)
            if seats:
                with suppress(Unavailable):
                    await self._look(seats)

    async def _look(self, seats: "list[_Seat]") -> None:
        changed = {actor.credential_id for actor in await self._access.changed([seat.actor for seat in seats])}
        for seat in seats:
            if seat.actor.credential_id in changed:
                seat.wakeup.hint()


async def _refusal(watching: asyncio.Task[None]) -> NoReturn:
    """A watch ends in no other way."""
    await watching
    raise AssertionError


class _Seat:
    """Somebody who holds something open."""

    def __init__(self, actor: Actor, clock: Clock) -> None:
        self.actor = actor
        self.wakeup = Wakeup(clock)
