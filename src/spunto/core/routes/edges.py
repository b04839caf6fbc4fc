"""The operator's use cases: which edges there are, and whether all of them go by a route."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.names import require_name
from spunto.core.kernel.pruning import keep_pruned
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.routes.model import Edge, EdgeId, edge_topic
from spunto.core.routes.ports import RoutesTransaction
from spunto.core.specs.token import new_edge_token, token_hash

# Edges are told at once that a subject is gone; one that was away for longer is told everything anyway.
GONE_FOR: Final = timedelta(hours=1)
_PRUNE_BATCH: Final = 1000


class EdgeRegistry:
    def __init__(self, uow: UnitOfWork[RoutesTransaction], *, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids

    async def create(self, name: str) -> tuple[Edge, Secret]:
        """The edge with its token, shown this once. Raises Conflict `edge_name_taken`, Invalid `name_invalid`."""
        require_name(name)
        edge_id = EdgeId(self._ids.new("edg"))
        token = new_edge_token(edge_id)
        edge = Edge(id=edge_id, name=name, token_hash=token_hash(token), created_at=self._clock.now())
        async with self._uow() as tx:
            await tx.edges.add(edge)
            await tx.commit()
        return edge, token

    async def all(self) -> Sequence[Edge]:
        """The oldest first."""
        async with self._uow.reading() as tx:
            return await tx.edges.all()

    async def remove(self, name: str) -> Edge:
        """By its name or its id; its connection ends within seconds. Raises NotFound `edge_not_found`."""
        async with self._uow() as tx:
            found = next((each for each in await tx.edges.all() if name in (each.id, each.name)), None)
            if found is None:
                raise NotFound("edge_not_found", f"There is no edge {name!r}; `spunto edge list` shows them.", id=name)
            await tx.edges.remove(found.id)
            tx.hint(edge_topic(found.id))
            await tx.commit()
        return found

    async def is_applied(self, subject_id: str, generation: int) -> bool:
        """Whether every edge that may be serving goes by this generation of the subject's route, or by a later one."""
        async with self._uow.reading() as tx:
            return await tx.edges.is_applied(subject_id, generation, now=self._clock.now())

    async def keep_pruned(self) -> None:
        """Forget the routes of what is gone, until cancelled."""
        await keep_pruned(self.prune, batch=_PRUNE_BATCH, clock=self._clock)

    async def prune(self) -> int:
        """Forget some of them; how many."""
        async with self._uow() as tx:
            count = await tx.routes.prune_gone(before=self._clock.now() - GONE_FOR, limit=_PRUNE_BATCH)
            await tx.commit()
        return count
