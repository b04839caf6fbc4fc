"""What follows for a worker from what its node says: pure, from values to values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from spunto.core.kernel.problem import Problem
from spunto.core.nodes.assignment import Assignment, Observation
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.worker import Power
from spunto.core.workers.assigned import spec_of
from spunto.core.workers.model import (
    MOVES,
    PATIENCE,
    REBUILD_FAILED,
    SETUP_PATIENCE,
    DockerState,
    WayBack,
    Worker,
    WorkerState,
)
from spunto.core.workers.rebuild import Asked, gone_back

_UNREACHABLE_RECHECK_SECONDS = 30.0
_ARRIVING = frozenset({WorkerState.SPAWNING, WorkerState.STARTING, WorkerState.ERROR})
_CONDITIONS = frozenset({"kind_unknown", "spec_unknown", "container_paused"})
"""What an agent that is updated understands, or somebody's hand on the node ends: shown as long as it holds, and no
outcome of anything."""
_NODE_REMOVED = Problem(
    code="node_removed", message="The worker's node was removed from the organization; destroy the worker."
)
_NO_ROOM = Problem(
    code="no_room",
    message="Somebody started the container on the node, which has no room for it any more; it is stopped again. "
    "Stop another worker of that node and start this one.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The worker as it becomes (None: its record ends), and when to look again.

    `frees` gives its reservation back; `without_room` says that it needs room on its node again, and is what the worker
    becomes where there is none: its node is then to stop what runs. `back` is what to ask for where a rebuild failed.
    """

    worker: Worker | None
    back: Asked | None = None
    frees: bool = False
    without_room: Worker | None = None
    again_seconds: float | None = None


def next_step(
    worker: Worker,
    assignment: Assignment | None,
    *,
    reachable_since: datetime | None,
    now: datetime,
    is_buried: bool = False,
) -> Step:
    """Bring the worker up to what was observed. `reachable_since` is None while the node is not connected; `is_buried`
    where its node has removed it, whether or not anybody here remembers having asked for it, or is gone itself."""
    if assignment is None:
        is_over = is_buried and worker.problem != _NODE_REMOVED
        return Step(worker=None) if is_over else _without_assignment(worker, now)
    if assignment.wanted is Wanted.ABSENT and worker.state is not WorkerState.DESTROYING:
        # Its node is being deleted.
        worker = worker.moved(WorkerState.DESTROYING, at=now)
    # A node that had outlived a restored backup has raised it.
    worker = replace(worker, generation=max(worker.generation, assignment.generation))
    observed = assignment.observed
    seen = worker if observed is None else _with_facts(worker, assignment, observed)
    if observed is None or observed.generation != worker.generation or worker.state is WorkerState.DESTROYING:
        return _watched(seen, assignment, reachable_since, now)
    if observed.phase is Phase.RUNNING and spec_of(assignment).power is Power.RUNNING and not assignment.reserves:
        # It had ended or was given up, and its room with it; somebody started it by hand, or its node tried once more.
        turned_down = replace(seen, generation=worker.generation + 1, problem=_NO_ROOM)
        return Step(worker=_running_again(seen, now), without_room=turned_down)
    if seen.way_back is not None and seen.state is WorkerState.STARTING and _has_failed(observed):
        return _back(seen, assignment, seen.way_back, observed.problem or _failure_of(observed), now)
    after = _settled(seen, assignment, observed, now)
    if after.deadline_at is not None:
        return _watched(after, assignment, reachable_since, now)
    return Step(worker=after, frees=assignment.reserves and observed.phase in (Phase.STOPPED, Phase.FAILED))


def _has_failed(observed: Observation) -> bool:
    """Also one that ended at once, one whose node does not know how to keep the container before, and one that is not
    what its project makes of it."""
    is_spoilt = observed.phase is Phase.RUNNING and _is_spoilt(observed.setup)
    return is_spoilt or observed.phase in (Phase.FAILED, Phase.STOPPED, Phase.REFUSED)


def _is_spoilt(setup: Mapping[str, Any] | None) -> bool:
    """Whether what runs once in a new container has failed there."""
    created = None if setup is None else setup.get("postCreate")
    return isinstance(created, Mapping) and created.get("exitCode") != 0


def _failure_of(observed: Observation) -> Problem:
    """Of a setup without its output, which is not for everybody who may look at the worker."""
    if observed.phase is not Phase.RUNNING or observed.setup is None:
        return _ended(observed)
    return Problem(code="setup_failed", message=str(observed.setup.get("error") or "The postCreateCommand failed."))


def _back(worker: Worker, assignment: Assignment, way_back: WayBack, problem: Problem, now: datetime) -> Step:
    asked = gone_back(worker, assignment, way_back, problem, at=now)
    return Step(worker=asked.worker, back=asked, again_seconds=PATIENCE[asked.worker.state].total_seconds())


def _running_again(worker: Worker, now: datetime) -> Worker:
    return worker.moved(WorkerState.READY, at=now) if WorkerState.READY in MOVES[worker.state] else worker


def _without_assignment(worker: Worker, now: datetime) -> Step:
    if worker.state is WorkerState.DESTROYING:
        return Step(worker=None)
    if worker.problem == _NODE_REMOVED:
        return Step(worker=worker)
    lost = worker if worker.state is WorkerState.ERROR else worker.moved(WorkerState.ERROR, at=now)
    return Step(worker=replace(lost, problem=_NODE_REMOVED, docker_state=DockerState.UNKNOWN))


def _with_facts(worker: Worker, assignment: Assignment, observed: Observation) -> Worker:
    """A setup for which a rebuild failed is told as long as that is."""
    is_told = _tells_of_rebuild(worker) and _is_spoilt(worker.setup)
    return replace(
        worker,
        container_id=observed.container_id,
        docker_state=_docker_state(assignment, observed),
        setup=worker.setup if is_told or observed.setup is None else observed.setup,
    )


def _tells_of_rebuild(worker: Worker) -> bool:
    return worker.problem is not None and worker.problem.code == REBUILD_FAILED


def _docker_state(assignment: Assignment, observed: Observation) -> DockerState:
    if observed.container_state is None:
        return DockerState.NOT_FOUND
    if observed.container_state == "exited" and spec_of(assignment).power is Power.STOPPED:
        return DockerState.STOPPED
    known = {state.value for state in DockerState}
    return DockerState(observed.container_state) if observed.container_state in known else DockerState.UNKNOWN


def _settled(worker: Worker, assignment: Assignment, observed: Observation, now: datetime) -> Worker:
    """The worker after a report of its newest generation."""
    worker = _with_condition(worker, observed)
    match observed.phase:
        case Phase.RUNNING if worker.state is WorkerState.STARTING and worker.way_back and _is_being_set_up(observed):
            return replace(worker, deadline_at=worker.state_since + PATIENCE[WorkerState.SPAWNING] + SETUP_PATIENCE)
        case Phase.RUNNING if worker.state in _ARRIVING and assignment.reserves:
            lasts = _tells_of_rebuild(worker) or _has_condition(worker)
            ready = worker.moved(WorkerState.READY, at=now, problem=worker.problem if lasts else None)
            return replace(ready, way_back=None)
        case Phase.FAILED if worker.state is not WorkerState.ERROR:
            return worker.moved(WorkerState.ERROR, at=now, problem=observed.problem or _unexplained(observed))
        case Phase.FAILED if observed.problem is not None:
            return replace(worker, problem=observed.problem)
        case Phase.STOPPED if worker.state is WorkerState.ERROR and not assignment.reserves:
            return worker
        case Phase.STOPPED if worker.state is not WorkerState.STOPPED:
            asked = spec_of(assignment).power is Power.STOPPED
            told = worker.problem if _tells_of_rebuild(worker) else None
            problem = told if asked else observed.problem or _ended(observed)
            return worker.moved(WorkerState.STOPPED, at=now, problem=problem)
        case _:
            return worker


def _has_condition(worker: Worker) -> bool:
    return worker.problem is not None and worker.problem.code in _CONDITIONS


def _is_being_set_up(observed: Observation) -> bool:
    return observed.setup is not None and observed.setup.get("phase") == "lifecycle"


def _with_condition(worker: Worker, observed: Observation) -> Worker:
    """That the node's agent does not understand what is asked for, or that somebody paused the container, is shown as
    long as it holds, and moves nothing."""
    if worker.problem is not None and not _has_condition(worker):
        return worker
    is_condition = observed.problem is not None and observed.problem.code in _CONDITIONS
    shown = observed.phase is Phase.REFUSED or (observed.phase is Phase.RUNNING and is_condition)
    return replace(worker, problem=observed.problem if shown else None)


def _unexplained(observed: Observation) -> Problem:
    return Problem(code="node_failed", message=f"The node gave up in phase {observed.phase}; start tries again.")


def _ended(observed: Observation) -> Problem:
    return Problem(
        code="worker_exited",
        message=f"The worker's container ended by itself with exit code {observed.exit_code}; its log tells more. "
        "Start runs it again; where its image is not made to go on running, correct the project and rebuild it.",
    )


def _watched(worker: Worker, assignment: Assignment, reachable_since: datetime | None, now: datetime) -> Step:
    step = _watch_deadline(worker, reachable_since, now)
    overdue = step.worker
    if worker.way_back is None or overdue is None or overdue.state is not WorkerState.ERROR or overdue.problem is None:
        return step
    return _back(worker, assignment, worker.way_back, overdue.problem, now)


def _watch_deadline(worker: Worker, reachable_since: datetime | None, now: datetime) -> Step:
    """Silence of a node is never failure: the clock of a deadline runs only while the node can be reached."""
    patience = PATIENCE.get(worker.state)
    if worker.deadline_at is None or patience is None:
        return Step(worker=worker)
    if reachable_since is None:
        extended = replace(worker, deadline_at=max(worker.deadline_at, now + patience))
        return Step(worker=extended, again_seconds=_UNREACHABLE_RECHECK_SECONDS)
    deadline_at = max(worker.deadline_at, reachable_since + patience)
    if now < deadline_at:
        again_seconds = (deadline_at - now).total_seconds()
        return Step(worker=replace(worker, deadline_at=deadline_at), again_seconds=again_seconds)
    return _overdue(worker, patience, now)


def _overdue(worker: Worker, patience: timedelta, now: datetime) -> Step:
    if worker.state is WorkerState.DESTROYING:
        # Deleting is sticky: it is never given up, only looked at again.
        return Step(worker=replace(worker, deadline_at=now + patience), again_seconds=patience.total_seconds())
    minutes = patience.total_seconds() / 60
    problem = Problem(
        code="deadline_passed",
        message=f"The node did not finish {worker.state} within {minutes:g} minutes; start tries again.",
    )
    return Step(worker=worker.moved(WorkerState.ERROR, at=now, problem=problem))
