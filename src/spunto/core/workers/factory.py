"""Makes workers and their assignments out of projects: values only."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from spunto.core.access.model import Actor
from spunto.core.kernel.errors import Conflict, NotFound
from spunto.core.kernel.names import name_problem, require_name
from spunto.core.nodes.assignment import Assignment
from spunto.core.nodes.model import Demand, NodeId
from spunto.core.projects.model import Environment, Project
from spunto.core.protocol.messages import Wanted
from spunto.core.routes.hosts import Addresses, slug_of
from spunto.core.scheduling.placement import Request
from spunto.core.specs.capabilities import needed_for
from spunto.core.specs.worker import KIND, Power, WorkerSpec
from spunto.core.workers.assigned import spec_of
from spunto.core.workers.model import PATIENCE, DockerState, Worker, WorkerId, WorkerState
from spunto.core.workers.ports import WorkersTransaction

PIDS = 1024


def request_for(environment: Environment, *, node_id: NodeId | None) -> Request:
    return Request(
        demand=_demand_for(environment),
        labels=environment.labels,
        node_id=node_id,
        requires=needed_for(KIND, ()),
    )


def new_worker(
    worker_id: WorkerId,
    project: Project,
    actor: Actor,
    *,
    index: int,
    node_id: NodeId,
    name: str | None,
    branch: str | None,
    now: datetime,
    tags: tuple[str, ...] = (),
    metadata: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    granted: tuple[str, ...] = (),
) -> Worker:
    """Raises Invalid `name_invalid`."""
    if name is not None:
        require_name(name)
    return Worker(
        id=worker_id,
        org_id=project.org_id,
        project_id=project.id,
        project_version=project.number,
        user_id=actor.user_id,
        api_key_id=actor.owning_key_id,
        index=index,
        name=name or (f"worker-{index}" if name_problem(f"{project.name}-{index}") else f"{project.name}-{index}"),
        branch=branch,
        env=env or {},
        granted=granted,
        tags=tags,
        metadata=metadata or {},
        node_id=node_id,
        state=WorkerState.SPAWNING,
        state_since=now,
        deadline_at=now + PATIENCE[WorkerState.SPAWNING],
        last_activity_at=now,
        idle_timeout_seconds=project.idle_timeout_seconds,
        created_at=now,
    )


def first_assignment(
    worker: Worker,
    environment: Environment,
    *,
    addresses: Addresses,
    secret_names: tuple[str, ...] = (),
    cause: str = "",
) -> Assignment:
    return Assignment(
        kind=KIND,
        subject_id=worker.id,
        org_id=worker.org_id,
        node_id=worker.node_id,
        generation=worker.generation,
        wanted=Wanted.PRESENT,
        spec=spec_for(worker, environment, secret_names, addresses=addresses),
        demand=_demand_for(environment),
        wanted_since=worker.created_at,
        cause=cause,
    )


def started(assignment: Assignment, *, at: datetime, cause: str = "") -> Assignment:
    """The assignment that runs again; a container that is gone is asked for anew. A rebuild may have reserved more."""
    demand = assignment.demand if assignment.reserves else demand_of(spec_of(assignment))
    gone = assignment.observed is None or assignment.observed.container_state in (None, DockerState.NOT_FOUND)
    made_in = assignment.generation + 1 if gone else spec_of(assignment).made_in
    spec = replace(spec_of(assignment), power=Power.RUNNING, made_in=made_in)
    return replace(assignment.asking(spec, at=at, cause=cause), reserves=True, demand=demand)


async def assignment_of(tx: WorkersTransaction, worker: Worker) -> Assignment:
    """Raises Conflict `node_removed` for a worker whose node is no more."""
    assignment = await tx.assignments.find(worker.id)
    if assignment is None:
        raise Conflict("node_removed", "The worker's node was removed; the worker can only be destroyed.", id=worker.id)
    return assignment


def not_found(worker_id: str) -> NotFound:
    return NotFound("worker_not_found", f"There is no worker {worker_id!r}.", id=worker_id)


def _demand_for(environment: Environment) -> Demand:
    return Demand(cpu_millis=environment.cpu_millis, memory_bytes=environment.memory_bytes)


def demand_of(spec: WorkerSpec) -> Demand:
    return Demand(cpu_millis=spec.cpu_millis, memory_bytes=spec.memory_bytes)


def platform_variables(worker: Worker, addresses: Addresses) -> Mapping[str, str]:
    """How programs in the worker tell their own addresses; nobody else sets them."""
    return {
        "WORKER_SLUG": slug_of(worker.index, worker.id),
        "BASE_DOMAIN": addresses.base_domain,
        "PUBLIC_PROTOCOL": addresses.scheme,
        # The three together leave out a port that is not the scheme's own.
        "SPUNTO_PORT_URL": addresses.pattern_of(worker.index, worker.id),
    }


def spec_for(
    worker: Worker, environment: Environment, secret_names: tuple[str, ...], *, addresses: Addresses
) -> WorkerSpec:
    return WorkerSpec(
        org_id=worker.org_id,
        image=environment.image,
        made_in=worker.generation,
        power=Power.RUNNING,
        env={**environment.env, **worker.env, **platform_variables(worker, addresses)},
        cpu_millis=environment.cpu_millis,
        memory_bytes=environment.memory_bytes,
        pids=PIDS,
        post_create_command=environment.post_create_command,
        post_start_command=environment.post_start_command,
        owner_id=worker.user_id or worker.api_key_id,
        secret_names=secret_names,
    )
