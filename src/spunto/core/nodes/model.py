"""Nodes: servers that people bring, with what they can hold, what is reserved, and how their connection stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NewType

from spunto.core.access.model import OrgId
from spunto.core.kernel.problem import Problem
from spunto.core.kernel.sizes import size_text

NodeId = NewType("NodeId", str)
ReplicaId = NewType("ReplicaId", str)
"""Of one run of a server process."""

FLAPPING_WINDOW: Final = timedelta(minutes=5)
FLAPPING_LIMIT: Final = 3


class NodeStatus(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    DRAINING = "draining"
    PROVISIONING = "provisioning"
    PROVISIONING_FAILED = "provisioning_failed"
    DELETING = "deleting"
    QUARANTINED = "quarantined"
    ERROR = "error"


TRANSIENT: frozenset[NodeStatus] = frozenset({NodeStatus.PROVISIONING, NodeStatus.DELETING})
"""On the way to somewhere; every other one lasts until something happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What may be given away of a node. No worker gets more than `max_worker_cpu_millis`."""

    cpu_millis: int
    memory_bytes: int
    max_worker_cpu_millis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a node's machine really has."""

    cpu_millis: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The disk of a node's engine, roughly as it is now. Of what is free, `reserve_bytes` and `reserve_files` are left
    to the machine; `total_files` is 0 where their number has no limit of its own."""

    total_bytes: int
    free_bytes: int
    reserve_bytes: int
    total_files: int = 0
    free_files: int = 0
    reserve_files: int = 0

    @property
    def shortage(self) -> str | None:
        """What there is too little of for anything new, in words; None where there is room."""
        if self.free_bytes < self.reserve_bytes:
            free, kept = size_text(self.free_bytes), size_text(self.reserve_bytes)
            return f"has {free} of disk free, and keeps {kept} for itself"
        if self.free_files < self.reserve_files:
            return f"has room for {self.free_files} files on its disk, and keeps {self.reserve_files} for itself"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLimits:
    """What the organization lets be given away of a node at most; None leaves it to what the agent offers."""

    cpu_millis: int | None = None
    memory_bytes: int | None = None

    def of(self, offered: Capacity) -> Capacity:
        """What is left of an agent's offer; limits never add to it."""
        cpu_millis = _least(offered.cpu_millis, self.cpu_millis)
        return Capacity(
            cpu_millis=cpu_millis,
            memory_bytes=_least(offered.memory_bytes, self.memory_bytes),
            max_worker_cpu_millis=_least(offered.max_worker_cpu_millis, self.cpu_millis),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one assignment takes of a node."""

    cpu_millis: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What the agent said of itself and its engine at its last connect. `engine_problem` while the engine is away;
    the words of `capabilities` are those of `specs.capabilities`. `offers` is what it gives away of its `machine`;
    both are None for an agent of before they were kept, and so is `disk`, also where the agent can't look at it."""

    version: str
    commit: str = ""
    instance_id: str
    engine: str
    engine_version: str
    engine_problem: Problem | None = None
    posture: Mapping[str, str | bool] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    offers: Capacity | None = None
    machine: Machine | None = None
    disk: Disk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Supersession:
    """One agent took the place of another that was connected; `instance_id` is the other's."""

    instance_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`epoch` counts connects; `reserved` and `assignments` are moved by placements alone.

    `holder` is the server process that has the connection; it is as good as that process's lease. `capacity` is what
    the agent offers within the `limits`. `incompatible` says why the agent that dialled last was not understood;
    `deleting_at` since when the node only waits for its agent to remove what stands on it. `tags` and `metadata` are
    for finding and for programs; the placement goes by labels alone.
    """

    id: NodeId
    org_id: OrgId
    name: str
    labels: Mapping[str, str]
    token_hash: bytes = field(repr=False)
    created_at: datetime
    capacity: Capacity | None = None
    reserved: Demand = Demand(cpu_millis=0, memory_bytes=0)
    assignments: int = 0
    draining: bool = False
    quarantine: Problem | None = None
    epoch: int = 0
    connected: bool = False
    connection_changed_at: datetime | None = None
    holder: ReplicaId | None = None
    agent: Agent | None = None
    supersessions: tuple[Supersession, ...] = ()
    limits: NodeLimits = NodeLimits()
    incompatible: Problem | None = None
    deleting_at: datetime | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1

    @property
    def capabilities(self) -> frozenset[str]:
        """What its agent can do, as it said at its last connect."""
        return frozenset() if self.agent is None else frozenset(self.agent.capabilities)

    @property
    def placing_labels(self) -> Mapping[str, str]:
        """What the placement goes by: the agent's labels, outdone by those that were set here."""
        return dict(self.labels) if self.agent is None else {**self.agent.labels, **self.labels}

    @property
    def problem(self) -> Problem | None:
        """What shuts the node out, with its way out."""
        return self.quarantine or self.incompatible

    @property
    def engine_problem(self) -> Problem | None:
        """Why its engine does not answer, while somebody is there who can tell."""
        return self.agent.engine_problem if self.connected and self.agent is not None else None

    @property
    def status(self) -> NodeStatus:
        return status_of(
            deleting=self.deleting_at is not None,
            quarantined=self.quarantine is not None,
            incompatible=self.incompatible is not None,
            has_connected=self.epoch > 0,
            connected=self.connected,
            draining=self.draining,
            without_engine=self.engine_problem is not None,
        )

    def connected_anew(self, *, agent: Agent, capacity: Capacity, holder: ReplicaId, at: datetime) -> "Node":
        supersessions = self.supersessions
        if self.connected and self.agent is not None and self.agent.instance_id != agent.instance_id:
            supersessions += (Supersession(instance_id=self.agent.instance_id, at=at),)
        return replace(
            self,
            epoch=self.epoch + 1,
            connected=True,
            connection_changed_at=at,
            holder=holder,
            agent=agent,
            capacity=self.limits.of(capacity),
            incompatible=None,
            supersessions=supersessions[-FLAPPING_LIMIT:],
        )

    def is_flapping(self, *, now: datetime) -> bool:
        """Whether agents supersede each other in turns, so that several are alive with one token.

        An agent that is restarted again and again supersedes its own earlier runs, which never come back.
        """
        recent = [each.instance_id for each in self.supersessions if now - each.at <= FLAPPING_WINDOW]
        return len(recent) == FLAPPING_LIMIT and self.agent is not None and self.agent.instance_id in recent

    def disconnected(self, *, epoch: int, at: datetime) -> "Node":
        """The end of one connection; of an older one it changes nothing."""
        if epoch != self.epoch or not self.connected:
            return self
        return replace(self, connected=False, connection_changed_at=at, holder=None)

    def quarantined(self, problem: Problem, *, at: datetime) -> "Node":
        """Shut out until somebody rotates the token."""
        return replace(self.disconnected(epoch=self.epoch, at=at), quarantine=problem)

    def limited(self, limits: NodeLimits) -> "Node":
        """The same with other limits; what an agent of before offered is known when it connects again."""
        offered = self.capacity if self.agent is None else self.agent.offers or self.capacity
        return replace(self, limits=limits, capacity=None if offered is None else limits.of(offered))

    def not_understood(self, problem: Problem) -> "Node":
        """An agent dialled that nothing can be said to. As long as another one is connected that changes nothing."""
        return self if self.connected else replace(self, incompatible=problem)

    def being_deleted(self, *, at: datetime) -> "Node":
        """Sticky; a repeat changes nothing."""
        return self if self.deleting_at is not None else replace(self, deleting_at=at)

    def with_token(self, token_hash: bytes, *, at: datetime) -> "Node":
        """A new token; the connection made with the old one is cut, and a quarantine ends."""
        cut = self.disconnected(epoch=self.epoch, at=at)
        return replace(cut, token_hash=token_hash, quarantine=None, supersessions=())


def status_of(
    *,
    deleting: bool,
    quarantined: bool,
    incompatible: bool,
    has_connected: bool,
    connected: bool,
    draining: bool,
    without_engine: bool,
) -> NodeStatus:
    """What hinders most comes first."""
    if deleting:
        return NodeStatus.DELETING
    if quarantined:
        return NodeStatus.QUARANTINED
    if incompatible:
        return NodeStatus.ERROR
    if not has_connected:
        return NodeStatus.PROVISIONING
    if not connected:
        return NodeStatus.OFFLINE
    if draining:
        return NodeStatus.DRAINING
    return NodeStatus.ERROR if without_engine else NodeStatus.ONLINE


def _least(offered: int, limit: int | None) -> int:
    return offered if limit is None else min(offered, limit)
