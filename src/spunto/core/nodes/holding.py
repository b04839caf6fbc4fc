"""What a server process does as one of several: keep its lease, cut what was taken from it, note who is gone.

Nodes' heartbeats stay in memory. A node counts as connected as long as its holder's lease lasts.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, Unavailable
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import NodeId
from spunto.core.nodes.ports import NodesTransaction
from spunto.core.nodes.presence import Presence
from spunto.core.nodes.replica import Replica, topic
from spunto.core.nodes.sync import topic as node_topic

LEASE_SECONDS = 30.0
_RENEW_SECONDS = 10.0
# At the latest after this long everything is known that a lost hint would have told.
LOOK_SECONDS = 5.0
_BATCH = 50
_LEAVE_SECONDS = 5.0
# Commits that were late, and clocks that are apart.
_OVERLAP = timedelta(seconds=30)


class Holding:
    """The life of this process among its neighbours; `run` is one of its loops."""

    def __init__(
        self,
        uow: UnitOfWork[NodesTransaction],
        *,
        replica: Replica,
        links: NodeLinks,
        presence: Presence,
        clock: Clock,
        wakeups: Wakeups,
        report: Callable[[str, str, BaseException], None],
    ) -> None:
        self._uow = uow
        self._replica = replica
        self._links = links
        self._clock = clock
        self._beats = clock.beats
        self._wakeups = wakeups
        self._report = report
        self._presence = presence
        self._looked_at = clock.now()
        self._renew_at = clock.beats.monotonic()
        self._asked: Mapping[str, tuple[NodeId, int]] = {}
        self._unlinked: Mapping[NodeId, int] = {}

    async def enter(self) -> None:
        """Take the lease, before the first node connects. Raises Unavailable."""
        await self._renew()

    async def run(self) -> None:
        """Work until cancelled; while the database can't be reached, try again at the same pace."""
        look_at = self._beats.monotonic()
        with self._wakeups.subscribe(topic(self._replica.id)) as wakeup:
            while True:
                try:
                    if self._beats.monotonic() >= look_at:
                        look_at = self._beats.monotonic() + LOOK_SECONDS
                        await self._look_around()
                    await self.cut_what_was_taken()
                except (Unavailable, Conflict) as error:
                    self._report("replica", self._replica.id, error)
                await wakeup.wait(poll_seconds=max(0.0, look_at - self._beats.monotonic()))

    async def leave(self) -> None:
        """End the lease at once: whoever still shows as connected here is free to be taken note of."""
        with suppress(Unavailable, Conflict, TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS), self._uow() as tx:
                await tx.replicas.remove(self._replica.id)
                await tx.commit()

    async def cut_what_was_taken(self) -> None:
        """Close the connections whose node was connected elsewhere, deleted, quarantined, or given a new token."""
        links = self._links.all()
        if not links:
            return
        async with self._uow.reading() as tx:
            held = await tx.nodes.held_by(self._replica.id)
            for node_id, link in links.items():
                if held.get(node_id) != link.epoch:
                    link.cut_if_outdated(await tx.nodes.find(node_id))

    async def _look_around(self) -> None:
        if self._beats.monotonic() >= self._renew_at:
            await self._renew()
            self._renew_at = self._beats.monotonic() + _RENEW_SECONDS
        while await self._note_abandoned():
            pass
        await self._note_what_ended_unnoted()
        await self._hear_what_is_asked()

    @retried
    async def _renew(self) -> None:
        async with self._uow() as tx:
            await tx.replicas.renew(self._replica, now=self._clock.now(), for_seconds=LEASE_SECONDS)
            await tx.commit()

    @retried
    async def _note_abandoned(self) -> bool:
        """Note that nodes of a process that is gone are not connected; whether there may be more of them."""
        now = self._clock.now()
        async with self._uow.reading() as tx:
            lost = await tx.nodes.abandoned(now=now, limit=_BATCH)
        if not lost:
            return False
        async with self._uow() as tx:
            for node in lost:
                await self._presence.note_gone(tx, node, reason="server_gone")
            await tx.replicas.prune(now=now)
            await tx.commit()
        return len(lost) == _BATCH

    async def _note_what_ended_unnoted(self) -> None:
        """Note that nodes are not connected whose connection ended here while the database was away.

        They are looked at twice, because a row says so shortly before its link is known.
        """
        async with self._uow.reading() as tx:
            held = await tx.nodes.held_by(self._replica.id)
        links = self._links.all()
        unlinked = {node_id: epoch for node_id, epoch in held.items() if node_id not in links}
        for node_id, epoch in unlinked.items():
            if self._unlinked.get(node_id) == epoch:
                await self._presence.end(node_id, epoch, reason="connection_lost")
        self._unlinked = unlinked

    async def _hear_what_is_asked(self) -> None:
        """Hint the nodes of which something else is wanted, in case that nobody could tell this process."""
        since, self._looked_at = self._looked_at - _OVERLAP, self._clock.now()
        async with self._uow.reading() as tx:
            asked = await tx.assignments.asked_since(self._replica.id, since=since)
        for subject_id, (node_id, generation) in asked.items():
            if self._asked.get(subject_id) != (node_id, generation):
                self._wakeups.heard(node_topic(node_id))
        self._asked = asked
