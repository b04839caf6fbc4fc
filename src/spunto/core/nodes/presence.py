"""Notes that agents have gone: in the node's row, as an event, and in the log."""

from spunto.core.activity.events import EventType
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.log import Log
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import Node, NodeId
from spunto.core.nodes.ports import NodesTransaction


class Presence:
    def __init__(
        self, uow: UnitOfWork[NodesTransaction], *, links: NodeLinks, auditor: Auditor, clock: Clock, log: Log
    ) -> None:
        self._uow = uow
        self._links = links
        self._auditor = auditor
        self._clock = clock
        self._log = log

    @retried
    async def end(self, node_id: NodeId, epoch: int, *, reason: str) -> None:
        """Note that the connection of that epoch is over, unless a newer one has taken its place."""
        async with self._uow() as tx:
            node = await tx.nodes.find(node_id)
            if node is None or not node.connected or node.epoch != epoch or self._links.find(node_id) is not None:
                return
            await self.note_gone(tx, node, reason=reason)
            await tx.commit()

    async def note_gone(self, tx: NodesTransaction, node: Node, *, reason: str) -> None:
        await tx.nodes.update(node.disconnected(epoch=node.epoch, at=self._clock.now()))
        await self._auditor.announce(tx, node.org_id, EventType.NODE_OFFLINE, node.id, data={"reason": reason})
        self._log("node_offline", node=node.id, name=node.name, epoch=node.epoch, reason=reason)
