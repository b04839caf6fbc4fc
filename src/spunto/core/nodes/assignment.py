"""Assignments: what should stand on a node, and what the node says of it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from spunto.core.access.model import OrgId
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.model import Demand, NodeId, Problem
from spunto.core.protocol.messages import AssignmentKind, Phase, Wanted


class Power(StrEnum):
    """Whether a present container should run."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """A worker as its node needs to know it.

    `made_in` is the generation that asked for this very container: a container labelled with another one is replaced,
    so a rebuild is a spec with a newer `made_in`, while stop and start leave it alone.
    `secret_names` are those of the owner's secrets that become variables of it; their values are never part of a spec.
    """

    org_id: str
    image: str
    made_in: int
    power: Power
    env: Mapping[str, str] = field(default_factory=dict)
    cpu_millis: int
    memory_bytes: int
    pids: int
    post_create_command: str | None = None
    post_start_command: str | None = None
    owner_user_id: str | None = None
    secret_names: tuple[str, ...] = ()

    @property
    def wants_secrets(self) -> bool:
        """Whether its container must not be made before its owner's secrets are there."""
        return bool(self.secret_names) and self.owner_user_id is not None


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
class Assignment:
    """One thing on one node. `generation` grows with every change of what is wanted; `reserves` says that it holds
    the demand in the node's counters (a stopped worker does not). `cause` is the request that asked for the generation;
    nothing where nobody did."""

    kind: AssignmentKind
    subject_id: str
    org_id: OrgId
    node_id: NodeId
    generation: int
    wanted: Wanted
    spec: WorkerSpec
    demand: Demand
    reserves: bool = True
    observed: Observation | None = None
    wanted_since: datetime
    cause: str = ""
    version: int = 1

    def asking(self, spec: WorkerSpec, *, at: datetime, cause: str = "") -> "Assignment":
        """The next generation, with another spec."""
        return replace(
            self, generation=self.generation + 1, spec=spec, wanted=Wanted.PRESENT, wanted_since=at, cause=cause
        )

    def asking_absent(self, *, at: datetime, cause: str = "") -> "Assignment":
        """The last generation: gone. Sticky; a repeat changes nothing."""
        if self.wanted is Wanted.ABSENT:
            return self
        return replace(self, generation=self.generation + 1, wanted=Wanted.ABSENT, wanted_since=at, cause=cause)

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


def spec_to_json(spec: WorkerSpec) -> dict[str, Any]:
    """The spec as it travels and is stored."""
    return {
        "orgId": spec.org_id,
        "image": spec.image,
        "madeIn": spec.made_in,
        "power": spec.power.value,
        "env": dict(spec.env),
        "cpuMillis": spec.cpu_millis,
        "memoryBytes": spec.memory_bytes,
        "pids": spec.pids,
        "postCreateCommand": spec.post_create_command,
        "postStartCommand": spec.post_start_command,
        "ownerUserId": spec.owner_user_id,
        "secretNames": list(spec.secret_names),
    }


def spec_from_json(body: Mapping[str, Any]) -> WorkerSpec:
    """Raises KeyError, TypeError or ValueError where it is not a worker's spec."""
    return WorkerSpec(
        org_id=str(body["orgId"]),
        image=str(body["image"]),
        made_in=int(body["madeIn"]),
        power=Power(body["power"]),
        env={str(name): str(value) for name, value in body["env"].items()},
        cpu_millis=int(body["cpuMillis"]),
        memory_bytes=int(body["memoryBytes"]),
        pids=int(body["pids"]),
        post_create_command=body["postCreateCommand"],
        post_start_command=body["postStartCommand"],
        # Specs that were stored before there were secrets name none.
        owner_user_id=body.get("ownerUserId"),
        secret_names=tuple(str(name) for name in body.get("secretNames", ())),
    )


def secrets_to_json(secrets: Mapping[str, Secret]) -> dict[str, str]:
    """Values as they travel, and as nobody may store them: in base64, so that JSON's escapes make none too long."""
    return {name: base64.b64encode(value.reveal().encode()).decode() for name, value in secrets.items()}


def secrets_from_json(body: Mapping[str, str]) -> dict[str, Secret]:
    """Raises ValueError where it is none of ours."""
    return {name: Secret(base64.b64decode(value, validate=True).decode()) for name, value in body.items()}
