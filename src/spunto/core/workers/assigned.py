"""Assignments of workers, whose specs are workers' specs."""

from dataclasses import replace
from datetime import datetime

from spunto.core.nodes.assignment import Assignment
from spunto.core.specs.worker import Power, WorkerSpec


def spec_of(assignment: Assignment) -> WorkerSpec:
    """Raises TypeError where the assignment is another kind's, which is a mistake of ours."""
    if not isinstance(assignment.spec, WorkerSpec):
        raise TypeError(f"{assignment.subject_id} is a {assignment.kind}, not a worker")
    return assignment.spec


def asking_to_stop(assignment: Assignment, *, at: datetime, cause: str = "") -> Assignment:
    return assignment.asking(replace(spec_of(assignment), power=Power.STOPPED), at=at, cause=cause)
