"""What follows for a worker that is rebuilt from what its node says of the new container."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.builders import NOW, a_report, a_spec, a_worker, an_assignment, later

from spunto.core.kernel.problem import Problem
from spunto.core.nodes.assignment import Observation
from spunto.core.protocol.messages import Phase
from spunto.core.specs.worker import Power
from spunto.core.workers.model import PATIENCE, SETUP_PATIENCE, WayBack, Worker, WorkerState
from spunto.core.workers.planner import Step, next_step

S = WorkerState
NO_IMAGE = Problem(code="image_not_found", message="manifest unknown")
TOLD = Problem(code="rebuild_failed", message="it failed")


def step(worker: Worker, report: Observation | None, *, power: Power = Power.RUNNING, at: float = 1) -> Step:
    assignment = an_assignment(power=power, observed=report)
    return next_step(worker, assignment, reachable_since=NOW, now=later(at))


def a_setup(phase: str, *, exit_code: int | None = None, has_run: bool = True) -> Mapping[str, Any]:
    created = {"exitCode": exit_code, "outputTail": "sesame"} if has_run else None
    error = "postCreateCommand ended with 7; see its output." if phase == "error" else None
    return {"phase": phase, "postCreate": created, "postStart": None, "error": error}


BEFORE = WayBack(spec=a_spec(image="before:1", made_in=1), project_version=1)


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (a_report(Phase.FAILED, problem=NO_IMAGE), "manifest unknown"),
        (a_report(Phase.STOPPED, exit_code=3), "exit code 3"),
        (a_report(Phase.REFUSED, problem=Problem(code="spec_unknown", message="field 'keeps'")), "field 'keeps'"),
    ],
)
def test_a_rebuild_that_fails_goes_back(report: Observation, told: str) -> None:
    worker = a_worker(S.STARTING, way_back=BEFORE, project_version=2)

    after = step(worker, report)

    assert after.worker is not None
    assert after.back is not None
    assert after.worker.problem is not None
    assert (after.worker.state, after.worker.project_version, after.worker.way_back) == (S.STARTING, 1, None)
    assert (after.worker.problem.code, told in after.worker.problem.message) == ("rebuild_failed", True)
    assert after.back.assignment.spec == BEFORE.spec
    assert after.back.assignment.generation == after.worker.generation == worker.generation + 1


def test_a_rebuild_that_takes_too_long_goes_back() -> None:
    worker = a_worker(S.STARTING, way_back=BEFORE, project_version=2)

    after = step(worker, None, at=PATIENCE[S.STARTING].total_seconds() + 1)

    assert after.back is not None
    assert (after.frees, after.worker) == (False, after.back.worker)


def test_a_rebuild_that_runs_has_no_way_back_any_more() -> None:
    after = step(a_worker(S.STARTING, way_back=BEFORE, project_version=2), a_report(Phase.RUNNING)).worker

    assert after is not None
    assert (after.state, after.way_back, after.problem) == (S.READY, None, None)


def test_a_rebuild_of_a_stopped_worker_that_fails_leaves_it_stopped() -> None:
    before = replace(BEFORE, spec=replace(BEFORE.spec, power=Power.STOPPED))
    worker = a_worker(S.STARTING, way_back=before, project_version=2)

    after = step(worker, a_report(Phase.FAILED, problem=NO_IMAGE))

    assert after.back is not None
    assert after.worker is not None
    assert after.worker.problem is not None
    assert (after.worker.state, after.back.assignment.spec) == (S.STOPPING, before.spec)
    assert "version 1 is back, stopped as it was" in after.worker.problem.message


def test_that_a_rebuild_failed_is_told_of_a_worker_that_is_stopped_after_it() -> None:
    after = step(a_worker(S.STOPPING, problem=TOLD), a_report(Phase.STOPPED), power=Power.STOPPED).worker

    assert after is not None
    assert (after.state, after.problem) == (S.STOPPED, TOLD)


def test_a_rebuild_is_under_way_as_long_as_the_new_container_is_set_up() -> None:
    worker = a_worker(S.STARTING, way_back=BEFORE)
    report = a_report(Phase.RUNNING, setup=a_setup("lifecycle", has_run=False))

    after = step(worker, report, at=PATIENCE[S.SPAWNING].total_seconds() + 60)

    assert after.worker is not None
    assert (after.worker.state, after.worker.way_back) == (S.STARTING, BEFORE)
    assert after.worker.deadline_at == NOW + PATIENCE[S.SPAWNING] + SETUP_PATIENCE


@pytest.mark.parametrize("phase", ["lifecycle", "error"])
@pytest.mark.parametrize("exit_code", [7, None])
def test_a_new_container_whose_creation_fails_is_a_rebuild_that_failed(phase: str, exit_code: int | None) -> None:
    """Its output is for its owner, and the problem is for everybody who may look at the worker."""
    worker = a_worker(S.STARTING, way_back=BEFORE, project_version=2)

    after = step(worker, a_report(Phase.RUNNING, setup=a_setup(phase, exit_code=exit_code)))

    assert after.back is not None
    assert after.worker is not None
    assert after.worker.problem is not None
    assert (after.worker.problem.code, "sesame" in after.worker.problem.message) == ("rebuild_failed", False)
    assert "postCreateCommand" in after.worker.problem.message
    assert after.worker.setup == a_setup(phase, exit_code=exit_code)


@pytest.mark.parametrize("setup", [a_setup("ready", exit_code=0), a_setup("error", exit_code=0), None])
def test_a_new_container_that_was_created_as_its_project_says_stays(setup: Mapping[str, Any] | None) -> None:
    after = step(a_worker(S.STARTING, way_back=BEFORE), a_report(Phase.RUNNING, setup=setup)).worker

    assert after is not None
    assert (after.state, after.way_back, after.problem) == (S.READY, None, None)


def test_the_setup_that_a_rebuild_failed_for_is_told_as_long_as_that_is() -> None:
    spoilt, own = a_setup("error", exit_code=7), a_setup("ready", has_run=False)

    told = step(a_worker(S.STARTING, problem=TOLD, setup=spoilt), a_report(Phase.RUNNING, setup=own)).worker
    later_on = step(a_worker(S.STARTING, setup=spoilt), a_report(Phase.RUNNING, setup=own)).worker

    assert told is not None
    assert later_on is not None
    assert (told.state, told.setup, later_on.setup) == (S.READY, spoilt, own)
