"""Values of the core with sensible defaults; a test names only what it is about."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from spunto.core.access.model import Actor, ActorKind, OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.nodes.assignment import Assignment, Observation
from spunto.core.nodes.model import Agent, Capacity, Demand, Node, NodeId
from spunto.core.projects.model import Environment, Project, ProjectId
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.worker import Power, WorkerSpec
from spunto.core.workers.model import PATIENCE, Worker, WorkerId, WorkerState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GIB = 1024**3
ORG = OrgId("org_00000000000000000000000000")
OTHER_ORG = OrgId("org_00000000000000000000000001")
USER = UserId("usr_00000000000000000000000000")
OTHER_USER = UserId("usr_00000000000000000000000001")
NODE = NodeId("nod_00000000000000000000000000")
PROJECT = ProjectId("prj_00000000000000000000000000")
WORKER = WorkerId("wkr_00000000000000000000000000")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def an_actor(
    *, user_id: UserId = USER, role: Role = Role.OWNER, roles: Mapping[OrgId, Role] | None = None, **fields: Any
) -> Actor:
    held = {ORG: role} if roles is None else roles
    return Actor(**{"kind": ActorKind.USER, "user_id": user_id, "credential_id": "ses_1", "roles": held, **fields})


def a_node(name: str = "one", *, cpus: int = 8, memory_bytes: int = 16 * GIB, **fields: Any) -> Node:
    """A node that is online and has room."""
    capacity = Capacity(cpu_millis=cpus * 1000, memory_bytes=memory_bytes, max_worker_cpu_millis=cpus * 1000)
    agent = Agent(version="1", instance_id="i", engine="fake", engine_version="1", capabilities=("kind:worker",))
    node = Node(
        id=NODE,
        org_id=ORG,
        name=name,
        labels={},
        token_hash=b"",
        created_at=NOW,
        capacity=capacity,
        epoch=1,
        connected=True,
        connection_changed_at=NOW,
        agent=agent,
    )
    return replace(node, **fields)


def a_spec(*, power: Power = Power.RUNNING, **fields: Any) -> WorkerSpec:
    spec = WorkerSpec(org_id=ORG, image="img", made_in=1, power=power, cpu_millis=1000, memory_bytes=GIB, pids=1024)
    return replace(spec, **fields)


def an_assignment(*, power: Power = Power.RUNNING, **fields: Any) -> Assignment:
    assignment = Assignment(
        kind="worker",
        subject_id=WORKER,
        org_id=ORG,
        node_id=NODE,
        generation=1,
        wanted=Wanted.PRESENT,
        spec=a_spec(power=power),
        demand=Demand(cpu_millis=1000, memory_bytes=GIB),
        wanted_since=NOW,
    )
    return replace(assignment, **fields)


def a_report(phase: Phase = Phase.RUNNING, *, generation: int = 1, **fields: Any) -> Observation:
    return replace(Observation(generation=generation, phase=phase, container_state="running", at=NOW), **fields)


def a_worker(state: WorkerState = WorkerState.SPAWNING, **fields: Any) -> Worker:
    patience = PATIENCE.get(state)
    worker = Worker(
        id=WORKER,
        org_id=ORG,
        project_id=PROJECT,
        project_version=1,
        user_id=USER,
        api_key_id=None,
        index=1,
        name="hello-1",
        node_id=NODE,
        state=state,
        state_since=NOW,
        deadline_at=None if patience is None else NOW + patience,
        last_activity_at=NOW,
        created_at=NOW,
    )
    return replace(worker, **fields)


def an_environment(**fields: Any) -> Environment:
    return replace(Environment(image="img"), **fields)


def a_project(**fields: Any) -> Project:
    project = Project(
        id=PROJECT,
        org_id=ORG,
        name="hello",
        description="",
        number=1,
        environment=an_environment(),
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(project, **fields)
