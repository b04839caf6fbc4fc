"""Assignments of workers, whose specs are workers' specs."""

from spunto.core.nodes.assignment import Assignment
from spunto.core.specs.worker import WorkerSpec


def spec_of(assignment: Assignment) -> WorkerSpec:
    """Raises TypeError where the assignment is another kind's, which is a mistake of ours."""
    if not isinstance(assignment.spec, WorkerSpec):
        raise TypeError(f"{assignment.subject_id} is a {assignment.kind}, not a worker")
    return assignment.spec
