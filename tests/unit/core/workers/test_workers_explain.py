"""Why a worker is as it is, in words that name what is in the way."""

from dataclasses import replace

import pytest
from tests.unit.core.builders import NOW, a_node, a_report, a_worker, an_assignment, later

from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import Phase
from spunto.core.specs.worker import Power
from spunto.core.workers.explain import explain
from spunto.core.workers.model import STANDING, WorkerState

READY = a_worker(WorkerState.READY)
SEEN = an_assignment(observed=a_report())


@pytest.mark.parametrize("state", sorted(STANDING))
def test_every_state_says_what_happens_next_and_until_when(state: WorkerState) -> None:
    worker = a_worker(state)

    told = explain(worker, SEEN, a_node())

    assert told.next
    assert (told.since, told.next_at) == (NOW, worker.deadline_at)


def test_nothing_blocks_what_is_as_wanted() -> None:
    told = explain(READY, SEEN, a_node())

    assert (told.wanted, told.generation, told.blocking) == ("running", 1, None)
    assert told.observed == SEEN.observed


def test_a_problem_of_its_own_comes_first() -> None:
    failed = replace(READY, problem=Problem(code="x", message="No such image."))

    assert explain(failed, SEEN, a_node(connected=False)).blocking == "No such image."


def test_what_is_in_the_way_is_named() -> None:
    node = a_node("frankfurt")
    assert node.agent is not None
    engineless = replace(node, agent=replace(node.agent, engine_problem=Problem(code="x", message="No Docker.")))
    asked = SEEN.asking(SEEN.spec, at=later(1))

    assert explain(READY, None, None).blocking == "The worker's node was removed."
    assert "frankfurt is offline" in (explain(READY, SEEN, replace(node, connected=False)).blocking or "")
    assert explain(READY, SEEN, engineless).blocking == "No Docker."
    assert "has not reported on generation 2" in (explain(READY, asked, node).blocking or "")


def test_what_is_wanted_is_running_stopped_or_absent() -> None:
    stopped = an_assignment(power=Power.STOPPED, observed=a_report(Phase.STOPPED))

    assert explain(READY, SEEN, a_node()).wanted == "running"
    assert explain(READY, stopped, a_node()).wanted == "stopped"
    assert explain(READY, SEEN.asking_absent(at=later(1)), a_node()).wanted == "absent"
    assert explain(READY, None, None).wanted == "absent"
