"""Assignments: what should stand on a node, and what the node says of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from spunto.core.access.model import OrgId
from spunto.core.kernel.problem import Problem
from spunto.core.nodes.model import Demand, NodeId
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.spec import Spec

MAX_SETUP_BYTES = 64 * 1024
"""Of a setup's status in JSON: no agent of ours says half as much, and every look at a worker shows it."""


def bounded_setup(setup: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The status as it is kept; of one that is too big, that it was."""
    if setup is None or len(json.dumps(setup, ensure_ascii=False).encode(errors="replace")) <= MAX_SETUP_BYTES:
        return setup
    phase = setup.get("phase")
    error = f"The node's status of the setup is larger than {MAX_SETUP_BYTES // 1024} KiB and was not kept."
    return {
        "phase": phase if isinstance(phase, str) and len(phase) <= 32 else "error",
        "startedAt": None,
        "repos": [],
        "postCreate": None,
        "postStart": None,
        "error": error,
        "timings": {},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a node last said of an assignment. `setup` is the worker's setupStatus as its container shows it."""

    generation: int
    phase: Phase
    container_id: str | None = None
    container_state: str | None = None
    exit_code: int | None = None
    problem: Problem | None = None
    setup: Mapping[str, Any] | None = None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """What stood on a node and was recorded to be gone. `generation` and `cause` are of what asked for it."""

    kind: str
    generation: int
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One thing on one node. `generation` grows with every change of what is wanted; `reserves` says that it holds
    the demand in the node's counters (a stopped worker does not). `cause` is the request that asked for the generation;
    nothing where nobody did."""

    kind: str
    subject_id: str
    org_id: OrgId
    node_id: NodeId
    generation: int
    wanted: Wanted
    spec: Spec
    demand: Demand
    reserves: bool = True
    observed: Observation | None = None
    wanted_since: datetime
    cause: str = ""
    version: int = 1

    def asking(self, spec: Spec, *, at: datetime, cause: str = "") -> "Assignment":
        """The next generation, with another spec."""
        return replace(
            self, generation=self.generation + 1, spec=spec, wanted=Wanted.PRESENT, wanted_since=at, cause=cause
        )

    def asking_absent(self, *, at: datetime, cause: str = "") -> "Assignment":
        """The last generation: gone. Sticky; a repeat changes nothing."""
        if self.wanted is Wanted.ABSENT:
            return self
        return replace(self, generation=self.generation + 1, wanted=Wanted.ABSENT, wanted_since=at, cause=cause)

    def raised_above(self, generation: int, *, at: datetime) -> "Assignment":
        """The same wish, in a generation that the node has not heard of yet: it holds against what the node knows."""
        return replace(self, generation=generation + 1, wanted_since=at)

    def freed(self) -> "Assignment":
        """The same without a reservation: what does not run takes no room."""
        return replace(self, reserves=False)

    def observing(self, observed: Observation) -> "Assignment":
        """Take a report in, unless it speaks of an older generation than one already heard of or of a future one."""
        if observed.generation > self.generation:
            return self
        if self.observed is not None and observed.generation < self.observed.generation:
            return self
        return replace(self, observed=observed)

    @property
    def is_settled(self) -> bool:
        """Whether the node has said something of the newest generation."""
        return self.observed is not None and self.observed.generation == self.generation
