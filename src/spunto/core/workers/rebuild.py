"""A worker is made anew from its project's newest version, with a way back to the container before: values only."""

from dataclasses import dataclass, replace
from datetime import datetime

from spunto.core.kernel.problem import Problem
from spunto.core.nodes.assignment import Assignment
from spunto.core.nodes.model import Demand
from spunto.core.projects.model import Project
from spunto.core.routes.hosts import Addresses
from spunto.core.specs.worker import Power
from spunto.core.workers import factory
from spunto.core.workers.assigned import spec_of
from spunto.core.workers.model import PATIENCE, REBUILD_FAILED, DockerState, WayBack, Worker, WorkerState

_RUN = frozenset({WorkerState.SPAWNING, WorkerState.STARTING, WorkerState.READY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The worker and its assignment as they become."""

    worker: Worker
    assignment: Assignment


def rebuilt(
    worker: Worker,
    assignment: Assignment,
    project: Project,
    *,
    secret_names: tuple[str, ...],
    granted: tuple[str, ...],
    addresses: Addresses,
    at: datetime,
    cause: str,
) -> Asked:
    """Ask for a container of the newest version. Raises Conflict `worker_state`.

    The container that is there is kept aside until the new one is ready, and so is the one of a rebuild that is not
    over. The node is to have room for either, until the worker gives its room back.
    """
    way_back = _way_back(worker, assignment)
    after = replace(
        worker.moved(WorkerState.STARTING, at=at),
        # An image may have to be fetched, as for a new worker.
        deadline_at=at + PATIENCE[WorkerState.SPAWNING],
        project_version=project.number,
        granted=granted,
        way_back=way_back,
        setup=None,
    )
    spec = replace(
        factory.spec_for(after, project.environment, secret_names, addresses=addresses),
        made_in=assignment.generation + 1,
        keeps=None if way_back is None else way_back.spec.made_in,
    )
    wanted = factory.demand_of(spec)
    demand = wanted if way_back is None else _larger(wanted, factory.demand_of(way_back.spec))
    return Asked(worker=after, assignment=replace(assignment.asking(spec, at=at, cause=cause), demand=demand))


def gone_back(worker: Worker, assignment: Assignment, way_back: WayBack, problem: Problem, *, at: datetime) -> Asked:
    """Ask for the container from before the rebuild, running only if it ran.

    What went wrong is the worker's problem until it is started or stopped.
    """
    state = WorkerState.STARTING if way_back.spec.power is Power.RUNNING else WorkerState.STOPPING
    after = replace(
        worker.moved(state, at=at, problem=_failure(worker, way_back, problem)),
        generation=assignment.generation + 1,
        project_version=way_back.project_version,
        granted=way_back.granted,
        way_back=None,
    )
    spec = replace(way_back.spec, keeps=None)
    return Asked(worker=after, assignment=assignment.asking(spec, at=at, cause=assignment.cause))


def _failure(worker: Worker, way_back: WayBack, problem: Problem) -> Problem:
    back = "runs again" if way_back.spec.power is Power.RUNNING else "is back, stopped as it was"
    message = (
        f"The rebuild to version {worker.project_version} failed, and version {way_back.project_version} {back}. "
        f"Mend what went wrong, and rebuild once more. Of the new container was said: {problem.message}"
    )
    return Problem(code=REBUILD_FAILED, message=message[:4000])


def _larger(one: Demand, other: Demand) -> Demand:
    return Demand(
        cpu_millis=max(one.cpu_millis, other.cpu_millis), memory_bytes=max(one.memory_bytes, other.memory_bytes)
    )


def _way_back(worker: Worker, assignment: Assignment) -> WayBack | None:
    """None where there is no container to go back to. One that does not run now is not to run after a failure."""
    way_back, observed = worker.way_back, assignment.observed
    if way_back is None:
        if observed is None or observed.container_state in (None, DockerState.NOT_FOUND):
            return None
        way_back = WayBack(spec=spec_of(assignment), project_version=worker.project_version, granted=worker.granted)
    power = way_back.spec.power if worker.state in _RUN else Power.STOPPED
    return replace(way_back, spec=replace(way_back.spec, power=power))
