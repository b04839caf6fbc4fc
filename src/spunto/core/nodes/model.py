"""Nodes: servers that people bring, with what they can hold, what is reserved, and how their connection stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from spunto.core.access.model import OrgId
from spunto.core.kernel.problem import Problem

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a node offers, as its agent announced it. No worker gets more than `max_worker_cpu_millis`."""

    cpu_millis: int
    memory_bytes: int
    max_worker_cpu_millis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one assignment takes of a node."""

    cpu_millis: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What the agent said of itself and its engine at its last connect. `engine_problem` while the engine is away;
    the words of `capabilities` are those of `specs.capabilities`."""

    version: str
    instance_id: str
    engine: str
    engine_version: str
    engine_problem: Problem | None = None
    posture: Mapping[str, str | bool] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Supersession:
    """One agent took the place of another that was connected; `instance_id` is the other's."""

    instance_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`epoch` counts connects; `reserved` and `assignments` are moved by placements alone.

    `holder` is the server process that has the connection; it is as good as that process's lease.
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
    version: int = 1

    @property
    def capabilities(self) -> frozenset[str]:
        """What its agent can do, as it said at its last connect."""
        return frozenset() if self.agent is None else frozenset(self.agent.capabilities)

    @property
    def status(self) -> NodeStatus:
        return status_of(has_connected=self.epoch > 0, connected=self.connected, draining=self.draining)

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
            capacity=capacity,
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

    def with_token(self, token_hash: bytes, *, at: datetime) -> "Node":
        """A new token; the connection made with the old one is cut, and a quarantine ends."""
        cut = self.disconnected(epoch=self.epoch, at=at)
        return replace(cut, token_hash=token_hash, quarantine=None, supersessions=())


def status_of(*, has_connected: bool, connected: bool, draining: bool) -> NodeStatus:
    if not has_connected:
        return NodeStatus.PROVISIONING
    if not connected:
        return NodeStatus.OFFLINE
    return NodeStatus.DRAINING if draining else NodeStatus.ONLINE
