"""Waiting for a node to connect for the first time, or to be gone."""

from spunto.core.kernel.uow import UnitOfWork
from spunto.core.kernel.waiting import Waits
from spunto.core.nodes.model import TRANSIENT, NodeId
from spunto.core.nodes.ports import NodesTransaction
from spunto.core.nodes.sync import topic


class NodeWaits:
    """For callers who may see the node: what it is then, they ask themselves."""

    def __init__(self, uow: UnitOfWork[NodesTransaction], *, waits: Waits) -> None:
        self._uow = uow
        self._waits = waits

    async def settled(self, node_id: NodeId, *, max_seconds: float) -> None:
        """Return once the node is in no transient state any more, is gone, or as `Waits.over` does."""

        async def is_under_way() -> bool:
            async with self._uow.reading() as tx:
                node = await tx.nodes.find(node_id)
            return node is not None and node.status in TRANSIENT

        await self._waits.over(topic(node_id), is_under_way, max_seconds=max_seconds)
