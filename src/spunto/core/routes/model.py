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
ROUTES_TOPIC: Final = "routes"
"""Hinted by every change of a route."""


def edge_topic(edge_id: EdgeId) -> str:
    """Hinted when the edge is to be looked at: it was removed, or it came back elsewhere."""
    return f"edge:{edge_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether a subject can be reached, where, and a code that says why."""

    state: RouteState
    reason: str
    node_id: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a subject is reached from outside, and by whom. `generation` counts what edges are told of it.

    `id` is the subject's; `owner_id` that of a user or of an API key.
    """

    id: str
    kind: str = WORKER
    org_id: OrgId
    owner_id: str
    index: int
    standing: Standing
    sharing: Mapping[int, Sharing] = field(default_factory=dict)
    changed_at: datetime
    generation: int = 1
    version: int = 1

    @property
    def is_gone(self) -> bool:
        return self.standing.state is RouteState.GONE

    @property
    def spec(self) -> RouteSpec:
        return RouteSpec(
            kind=self.kind,
            org_id=self.org_id,
            owner_id=self.owner_id,
            node_id=self.standing.node_id,
            index=self.index,
            state=self.standing.state,
            reason=self.standing.reason,
            sharing=self.sharing,
        )

    def standing_as(self, standing: Standing, *, at: datetime) -> Self:
        """The same object where nothing of it is new."""
        return self._changed(replace(self, standing=standing), at=at)

    def sharing_as(self, port: int, sharing: Sharing, *, at: datetime) -> Self:
        """The same object where nothing of it is new. A port that is its owner's alone is not listed."""
        others = {each: how for each, how in self.sharing.items() if each != port}
        now = others if sharing is Sharing.OWNER else {**others, port: sharing}
        return self._changed(replace(self, sharing=now), at=at)

    def _changed(self, changed: Self, *, at: datetime) -> Self:
        return self if changed == self else replace(changed, generation=self.generation + 1, changed_at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A process that lets people and programs in, registered by the operator.

    `url` is where agents dial it, as it last said itself. `epoch` counts its connections: the newest one alone is it.
    It may be serving until `lease_until`.
    """

    id: EdgeId
    name: str
    token_hash: bytes = field(repr=False)
    created_at: datetime
    url: str = ""
    epoch: int = 0
    seen_at: datetime | None = None
    lease_until: datetime | None = None
    version: int = 1

    def is_alive(self, now: datetime) -> bool:
        return self.lease_until is not None and self.lease_until > now

    def connected_anew(self, *, url: str, at: datetime, lease_until: datetime) -> Self:
        return replace(self, url=url, epoch=self.epoch + 1, seen_at=at, lease_until=lease_until)
