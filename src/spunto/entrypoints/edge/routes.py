"""What an edge knows of the hosts that it serves: the routes that its server last told, by their subject."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from spunto.core.kernel.errors import Malformed
from spunto.core.kernel.ids import bare
from spunto.core.protocol.messages import Desired, DesiredItem, ObservedItem, Phase, Wanted
from spunto.core.routes.desired import ROUTE, RouteSpec, RouteState


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRoute:
    """`up_since` is when the subject was first seen as up, by this process' monotonic clock."""

    subject_id: str
    generation: int
    spec: RouteSpec
    up_since: float


@dataclass(slots=True)
class RouteTable:
    """Changes come in by `apply`; who waits for a subject's next change waits on `changed`. Subjects are named by the
    characters of their id that stand in host names."""

    _routes: dict[str, KnownRoute] = field(default_factory=dict)
    _waiting: dict[str, set[asyncio.Future[None]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._routes)

    def find(self, subject: str) -> KnownRoute | None:
        return self._routes.get(subject)

    def apply(self, desired: Desired, *, monotonic: float, at: datetime) -> list[ObservedItem]:
        """Take the routes of a message over, and say what was applied of them. One that is not understood is left as it
        was, and not acknowledged."""
        items = [item for item in desired.items if item.kind == ROUTE]
        if desired.whole:
            told = {bare(item.id) for item in items}
            for subject in [each for each in self._routes if each not in told]:
                self._put(subject, None)
        applied = (self._apply(item, monotonic=monotonic, at=at) for item in items)
        return [each for each in applied if each is not None]

    async def changed(self, subject: str) -> None:
        """Wait for the subject's next change."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(subject, set()).add(waiting)
        try:
            await waiting
        finally:
            if (others := self._waiting.get(subject)) is not None:
                others.discard(waiting)
                if not others:
                    del self._waiting[subject]

    def _apply(self, item: DesiredItem, *, monotonic: float, at: datetime) -> ObservedItem | None:
        subject = bare(item.id)
        if item.wanted is Wanted.ABSENT:
            self._put(subject, None)
            return _observed(item, Phase.ABSENT, at)
        try:
            spec = RouteSpec.from_json(item.spec or {})
        except Malformed:
            return None
        known = self._routes.get(subject)
        if known is None or known.generation <= item.generation:
            stayed_up = known is not None and known.spec.state is RouteState.UP
            up_since = known.up_since if known is not None and stayed_up else monotonic
            self._put(subject, KnownRoute(subject_id=item.id, generation=item.generation, spec=spec, up_since=up_since))
        return _observed(item, Phase.RUNNING, at)

    def _put(self, subject: str, route: KnownRoute | None) -> None:
        if route is None:
            self._routes.pop(subject, None)
        else:
            self._routes[subject] = route
        for waiting in self._waiting.get(subject, ()):
            if not waiting.done():
                waiting.set_result(None)


def _observed(item: DesiredItem, phase: Phase, at: datetime) -> ObservedItem:
    return ObservedItem(kind=ROUTE, id=item.id, generation=item.generation, phase=phase, at=at)
