"""Brings a request to its subject: wakes it where that was meant, waits while it comes up, and connects."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Final
from weakref import WeakValueDictionary

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import NotFound, Unavailable
from spunto.core.kernel.ids import bare
from spunto.core.routes.asking import By, Wake, Woken
from spunto.core.routes.desired import RouteState, Sharing
from spunto.core.routes.hosts import HostTarget
from spunto.entrypoints.edge.fair_turns import FairTurns, InTurn
from spunto.entrypoints.edge.parking import PARKED_SECONDS, Parking
from spunto.entrypoints.edge.routes import KnownRoute, RouteTable
from spunto.entrypoints.edge.seams import Target, Upstream
from spunto.entrypoints.edge.server_link import ServerLink

Connect = Callable[[str, str, int], Awaitable[Upstream]]
"""Node, subject and port. Raises Unavailable, `connection_refused` where nobody listens there."""

IsKnown = Callable[[], Awaitable[bool]]
"""Whether it is known who asks; asked where the request has to wait."""

IDLE: Final = "idle"
REFUSED: Final = "connection_refused"
PAGE_SECONDS: Final = 5.0
"""How long a person's page waits before it tells what it waits for."""
_LISTEN_SECONDS: Final = 20.0
_KNOCK_SECONDS: Final = 0.03
_WAKE_AGAIN_SECONDS: Final = 0.5


async def _yes() -> bool:
    return True


def host_unknown() -> NotFound:
    return NotFound("host_unknown", "No worker has this address; it may have been destroyed.")


class Reaching:
    def __init__(
        self, routes: RouteTable, link: ServerLink, connect: Connect, *, parking: Parking, clock: Clock
    ) -> None:
        self._routes = routes
        self._link = link
        self._connect = connect
        self._parking = parking
        self._clock = clock
        self._fair = FairTurns(clock)
        self._turns: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()

    def route_of(self, target: HostTarget) -> KnownRoute:
        """Raises NotFound."""
        route = self._routes.find(target.subject)
        if route is None or route.spec.index != target.index:
            raise host_unknown()
        return route

    async def up(
        self, target: HostTarget, *, waker: By | None, seconds: float = PARKED_SECONDS, is_known: IsKnown = _yes
    ) -> KnownRoute:
        """The route once it is up, by the `waker` if it is down. Raises Unavailable, QuotaExceeded, NotFound."""
        route = self.route_of(target)
        if route.spec.state is RouteState.UP:
            return route
        with self._place(target.subject, is_known=await is_known()):
            try:
                async with asyncio.timeout(seconds):
                    return await self._wait(target, waker)
            except TimeoutError as error:
                raise _starting(self.route_of(target)) from error

    def is_public(self, target: HostTarget) -> bool:
        """Whether everybody may use the port, as it stands now."""
        route = self._routes.find(target.subject)
        return route is not None and route.spec.sharing_of(target.port) is Sharing.PUBLIC

    def target_of(
        self, route: KnownRoute, port: int, *, seconds: float = PARKED_SECONDS, is_known: IsKnown = _yes
    ) -> Target:
        """Where its requests go. What has just come up is given a while to listen, `seconds` at most."""

        async def connect() -> Upstream:
            return await self._knock(route, port, until=self._clock.monotonic() + seconds, is_known=is_known)

        return Target(key=(route.spec.node_id, route.subject_id, port, route.up_since), connect=connect)

    async def require_there(self, route: KnownRoute, port: int) -> None:
        """Look whether the port answers, without waking, waiting or using anything. Raises Unavailable for why not."""
        if route.spec.state is RouteState.UP:
            await (await self._knock(route, port, until=self._clock.monotonic(), is_known=_yes)).aclose()
            return
        raise _FAULTS[route.spec.state](route)

    async def _wait(self, target: HostTarget, waker: By | None) -> KnownRoute:
        while True:
            route = self.route_of(target)
            if route.spec.state is RouteState.UP:
                return route
            if route.spec.state is RouteState.GONE:
                raise _broken(route)
            if route.spec.state is RouteState.DOWN:
                if waker is None:
                    raise _stopped(route)
                woken = await self._link.ask(Wake(subject_id=route.subject_id, by=waker), Woken)
                if self.route_of(target) is not route:
                    continue
                if woken.state is RouteState.DOWN:
                    # It is still on its way down. To be asked costs the server a transaction.
                    await self._clock.sleep(_WAKE_AGAIN_SECONDS)
                    continue
            await self._routes.changed(target.subject)

    async def _knock(self, route: KnownRoute, port: int, *, until: float, is_known: IsKnown) -> Upstream:
        until = min(until, route.up_since + _LISTEN_SECONDS)
        stream = await self._reach(route, port, until=until)
        if stream is not None:
            return stream
        with self._place(bare(route.subject_id), is_known=await is_known()):
            # Many may wait for one port; one of them knocks.
            async with self._turns.setdefault((route.subject_id, port), asyncio.Lock()):
                while (stream := await self._reach(route, port, until=until)) is None:
                    await self._clock.sleep(_KNOCK_SECONDS)
        return stream

    def _place(self, subject: str, *, is_known: bool) -> AbstractContextManager[None]:
        return self._parking.place(subject) if is_known else self._parking.strangers_place(subject)

    async def _reach(self, route: KnownRoute, port: int, *, until: float) -> Upstream | None:
        """None where nobody listens yet, until that moment."""
        try:
            stream = await self._connect(route.spec.node_id, route.subject_id, port)
            return InTurn(stream, self._fair, org_id=route.spec.org_id)
        except Unavailable as error:
            if error.code != REFUSED:
                raise
            if self._clock.monotonic() >= until:
                raise _nobody_listens(port) from error
            return None


def _starting(_: KnownRoute) -> Unavailable:
    return Unavailable("worker_starting", "The worker is starting; this goes on by itself.", retry_after_seconds=2)


def _stopped(route: KnownRoute) -> Unavailable:
    why = "after nobody used it for a while" if route.spec.reason == IDLE else "by its owner or an admin"
    return Unavailable(
        "worker_stopped",
        f"The worker was stopped {why}. Its owner starts it by opening this page, or with `spunto worker start`.",
    )


def _broken(_: KnownRoute) -> Unavailable:
    return Unavailable("worker_error", "The worker has an error; `spunto worker show` tells it, and the way out.")


_FAULTS: Final = {RouteState.COMING: _starting, RouteState.DOWN: _stopped, RouteState.GONE: _broken}


def _nobody_listens(port: int) -> Unavailable:
    return Unavailable(
        "nobody_listens",
        f"The worker runs, and nothing listens on its port {port} yet. Start a server there, and this goes on.",
        retry_after_seconds=2,
    )
