"""Why a worker is as it is: the answer of `?explain=true`, from the same data as the planner's."""

from dataclasses import dataclass
from datetime import datetime

from spunto.core.nodes.assignment import Assignment, Observation
from spunto.core.nodes.model import Node
from spunto.core.protocol.messages import Wanted
from spunto.core.specs.worker import Power
from spunto.core.workers.assigned import spec_of
from spunto.core.workers.model import Worker, WorkerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`blocking` is None where nothing is in the way; `next_at` is the deadline of a transient state."""

    wanted: str
    generation: int
    wanted_since: datetime | None
    observed: Observation | None
    blocking: str | None
    since: datetime
    next: str
    next_at: datetime | None


def explain(worker: Worker, assignment: Assignment | None, node: Node | None) -> Explanation:
    return Explanation(
        wanted=_wanted(assignment),
        generation=worker.generation,
        wanted_since=None if assignment is None else assignment.wanted_since,
        observed=None if assignment is None else assignment.observed,
        blocking=_blocking(worker, assignment, node),
        since=worker.state_since,
        next=_NEXT[worker.state],
        next_at=worker.deadline_at,
    )


_NEXT = {
    WorkerState.SPAWNING: "The node creates and starts the container; past the deadline the worker becomes `error`.",
    WorkerState.STARTING: "The node starts the container; past the deadline the worker becomes `error`.",
    WorkerState.STOPPING: "The node stops the container; past the deadline the worker becomes `error`.",
    WorkerState.DESTROYING: "The node removes container, network and volume; then the record goes.",
    WorkerState.READY: "Nothing; it runs.",
    WorkerState.STOPPED: "Nothing; start runs it again.",
    WorkerState.ERROR: "Nothing by itself; start tries again, rebuild makes it anew, destroy removes it.",
}


def _wanted(assignment: Assignment | None) -> str:
    if assignment is None or assignment.wanted is Wanted.ABSENT:
        return "absent"
    return "running" if spec_of(assignment).power is Power.RUNNING else "stopped"


def _blocking(worker: Worker, assignment: Assignment | None, node: Node | None) -> str | None:
    if worker.problem is not None:
        return worker.problem.message
    if node is None or assignment is None:
        return "The worker's node was removed."
    if node.problem is not None:
        return f"The node {node.name} is shut out: {node.problem.message}"
    if not node.connected:
        return f"The node {node.name} is offline; what is wanted happens when its agent is back."
    if node.agent is not None and node.agent.engine_problem is not None:
        return node.agent.engine_problem.message
    if not assignment.is_settled:
        return f"The node {node.name} has not reported on generation {assignment.generation} yet."
    return None
