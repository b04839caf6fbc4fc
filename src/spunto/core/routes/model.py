"""Routes and edges as the server keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NewType, Self

from spunto.core.access.model import OrgId
from spunto.core.nodes.model import NodeId
from spunto.core.routes.desired import RouteSpec, RouteState, Sharing

EdgeId = NewType("EdgeId", str)

WORKER: Final = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a subject is reached from outside, and by whom. `generation` counts what edges are told of it."""

    subject_id: str
    kind: str = WORKER
    org_id: OrgId
    owner_id: str
    node_id: NodeId
    index: int
    state: RouteState
    reason: str = ""
    sharing: Mapping[int, Sharing] = field(default_factory=dict)
    generation: int = 1
    version: int = 0

    @property
    def spec(self) -> RouteSpec:
        return RouteSpec(
            kind=self.kind,
            org_id=self.org_id,
            owner_id=self.owner_id,
            node_id=self.node_id,
            index=self.index,
            state=self.state,
            reason=self.reason,
            sharing=self.sharing,
        )

    def now(self, *, state: RouteState, reason: str, node_id: NodeId) -> Self:
        """The same object where nothing of it is new."""
        return self._changed(replace(self, state=state, reason=reason, node_id=node_id))

    def shared(self, port: int, sharing: Sharing) -> Self:
        """The same object where nothing of it is new. A port that is its owner's alone is not listed."""
        others = {each: how for each, how in self.sharing.items() if each != port}
        return self._changed(replace(self, sharing=others if sharing is Sharing.OWNER else {**others, port: sharing}))

    def _changed(self, changed: Self) -> Self:
        return self if changed == self else replace(changed, generation=self.generation + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A process that lets people and programs in, registered by the operator.

    `url` is where agents dial it, as it says itself. It is alive while `lease_ends_at` lies ahead.
    """

    id: EdgeId
    name: str
    token_hash: bytes
    created_at: datetime
    url: str = ""
    lease_ends_at: datetime | None = None
    last_seen_at: datetime | None = None
    version: int = 0

    def is_alive(self, now: datetime) -> bool:
        return self.lease_ends_at is not None and self.lease_ends_at > now
