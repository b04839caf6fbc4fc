"""How much there is of everything, over all organizations: for the operator's figures, and for nobody else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from spunto.core.nodes.model import NodeStatus
from spunto.core.workers.model import WorkerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is due in the work queue and claimed by nobody."""

    depth: int
    oldest_due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """What there is none of is left out."""

    nodes: Mapping[NodeStatus, int] = field(default_factory=dict)
    workers: Mapping[WorkerState, int] = field(default_factory=dict)
    backlogs: Mapping[str, Backlog] = field(default_factory=dict)


class CensusTaker(Protocol):
    async def take(self, *, now: datetime) -> Census:
        """Count; a few statements, each over an index or a small table, but not for every request."""
