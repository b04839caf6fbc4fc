"""Keeps an edge told which routes there are: everything on connect, differences afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import Desired, DesiredItem, Wanted
from spunto.core.routes.desired import (
    ADDRESSES_ID,
    KEY,
    PASS_KEY_ID,
    ROUTE,
    SETTINGS,
    AddressesSpec,
    secrets_of,
)
from spunto.core.routes.model import ROUTES_TOPIC, Edge, Route, edge_topic
from spunto.core.routes.ports import RoutesTransaction

# What is narrowed reaches every edge within this, whether or not a hint gets through.
LOOK_SECONDS: Final = 2.0
# What was committed later than all that overlaps, and what is forgotten, is found by comparing everything.
COMPARE_SECONDS: Final = 120.0
# Commits that were late, and clocks that are apart.
_OVERLAP: Final = timedelta(seconds=30)
_ITEMS_A_MESSAGE: Final = 1000


class PassKeys(Protocol):
    def all(self) -> Sequence[bytes]:
        """The keys that passes are signed with: the current one first, then those that are good still."""


class EdgeSync:
    """What one connection of an edge has been told."""

    def __init__(
        self,
        uow: UnitOfWork[RoutesTransaction],
        edge: Edge,
        connection: Connection,
        *,
        keys: PassKeys,
        addresses: AddressesSpec,
        clock: Clock,
    ) -> None:
        self._uow = uow
        self._edge = edge
        self._connection = connection
        self._keys = keys
        self._addresses = addresses
        self._clock = clock
        self._sent: dict[str, int] = {}
        self._sent_keys: Sequence[bytes] = ()
        self._revision = 0
        self._looked_at = clock.now()
        self._compare_at = clock.monotonic()

    def was_told(self, subject_id: str, generation: int) -> bool:
        return self._sent.get(subject_id) == generation

    async def run(self, wakeups: Wakeups) -> None:
        """Send what differs from what was sent, until the connection ends. Raises ConnectionLost, Unavailable."""
        with wakeups.subscribe(ROUTES_TOPIC, edge_topic(self._edge.id)) as wakeup:
            while True:
                await self.bring_up_to_date()
                await wakeup.wait(max_seconds=LOOK_SECONDS)

    async def bring_up_to_date(self) -> None:
        since = self._since()
        async with self._uow.reading() as tx:
            generations = await tx.routes.generations(since=since)
            changed = [each for each, generation in generations.items() if self._sent.get(each) != generation]
            routes = await tx.routes.of_subjects(changed) if changed else []
        lost = [] if since is not None else [each for each in self._sent if each not in generations]
        is_first = self._revision == 0
        items = [*self._surroundings(), *_items(routes, is_first=is_first), *self._forgotten(lost)]
        if items:
            self._send(items, whole=is_first)
        self._sent.update((route.id, route.generation) for route in routes)

    def _since(self) -> datetime | None:
        """None where everything is to be compared."""
        since, self._looked_at = self._looked_at - _OVERLAP, self._clock.now()
        if self._clock.monotonic() < self._compare_at:
            return since
        self._compare_at = self._clock.monotonic() + COMPARE_SECONDS
        return None

    def _surroundings(self) -> Iterator[DesiredItem]:
        """Their generation is the moment, which counts up also over several connections."""
        at = int(self._clock.now().timestamp() * 1000)
        if self._revision == 0:
            yield _present(SETTINGS, ADDRESSES_ID, at, spec=self._addresses.to_json())
        keys = tuple(self._keys.all())
        if keys != self._sent_keys:
            self._sent_keys = keys
            yield _present(KEY, PASS_KEY_ID, at, secrets=secrets_of(keys))

    def _forgotten(self, subject_ids: Sequence[str]) -> Iterator[DesiredItem]:
        for subject_id in subject_ids:
            yield _absent(subject_id, self._sent.pop(subject_id) + 1)

    def _send(self, items: Sequence[DesiredItem], *, whole: bool) -> None:
        self._revision += 1
        parts = [items[at : at + _ITEMS_A_MESSAGE] for at in range(0, len(items), _ITEMS_A_MESSAGE)]
        for number, part in enumerate(parts, start=1):
            self._connection.send(
                Desired(
                    epoch=self._connection.epoch,
                    revision=self._revision,
                    whole=whole,
                    items=tuple(part),
                    more=number < len(parts),
                )
            )


def _items(routes: Sequence[Route], *, is_first: bool) -> Iterator[DesiredItem]:
    for route in routes:
        if not route.is_gone:
            yield _present(ROUTE, route.id, route.generation, spec=route.spec.to_json())
        elif not is_first:
            yield _absent(route.id, route.generation)


def _present(
    kind: str,
    item_id: str,
    generation: int,
    *,
    spec: dict[str, object] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> DesiredItem:
    return DesiredItem(
        kind=kind,
        id=item_id,
        generation=generation,
        wanted=Wanted.PRESENT,
        spec=spec,
        secrets=None if secrets is None else dict(secrets),
    )


def _absent(subject_id: str, generation: int) -> DesiredItem:
    return DesiredItem(kind=ROUTE, id=subject_id, generation=generation, wanted=Wanted.ABSENT)
