"""What follows for a worker from what its node says, and from its saying nothing."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.core.builders import NOW, a_report, a_spec, a_worker, an_assignment, later

from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.problem import Problem
from spunto.core.nodes.assignment import Assignment, Observation
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.worker import Power
from spunto.core.workers.factory import started
from spunto.core.workers.model import MOVES, PATIENCE, STANDING, DockerState, Worker, WorkerState
from spunto.core.workers.planner import Step, next_step

S = WorkerState
TRANSIENT = frozenset(PATIENCE)
NO_IMAGE = Problem(code="image_not_found", message="manifest unknown")


def step(worker: Worker, report: Observation | None, *, power: Power = Power.RUNNING, at: float = 1) -> Step:
    assignment = an_assignment(power=power, observed=report)
    return next_step(worker, assignment, reachable_since=NOW, now=later(at))


@pytest.mark.parametrize("state", sorted(STANDING))
def test_every_state_has_a_way_to_destroying(state: WorkerState) -> None:
    assert state is S.DESTROYING or S.DESTROYING in MOVES[state]


@pytest.mark.parametrize("state", S)
def test_an_unlisted_move_is_a_conflict_that_tells_the_state(state: WorkerState) -> None:
    for to in set(S) - MOVES[state]:
        with pytest.raises(Conflict) as caught:
            a_worker(state).moved(to, at=later(1))
        assert caught.value.fields["state"] == state.value


@pytest.mark.parametrize("state", S)
def test_every_listed_move_sets_deadline_and_stop_time(state: WorkerState) -> None:
    for to in MOVES[state]:
        moved = a_worker(state, problem=NO_IMAGE).moved(to, at=later(1))
        patience = PATIENCE.get(to)
        assert (moved.state, moved.state_since, moved.problem) == (to, later(1), None)
        assert moved.deadline_at == (None if patience is None else later(1) + patience)
        assert moved.stopped_at == (later(1) if to is S.STOPPED else None)


@pytest.mark.parametrize("state", [S.SPAWNING, S.STARTING, S.ERROR])
def test_a_running_container_makes_the_worker_ready(state: WorkerState) -> None:
    report = a_report(Phase.RUNNING, container_id="c1", setup={"phase": "ready"})

    after = step(a_worker(state), report).worker

    assert after is not None
    assert (after.state, after.container_id, after.setup) == (S.READY, "c1", {"phase": "ready"})
    assert after.docker_state is DockerState.RUNNING


def test_a_failure_makes_an_error_with_the_node_s_own_words_and_frees_the_room() -> None:
    result = step(a_worker(), a_report(Phase.FAILED, problem=NO_IMAGE, container_state="not_found"))

    assert result.worker is not None
    assert (result.worker.state, result.worker.problem) == (S.ERROR, NO_IMAGE)
    assert result.worker.docker_state is DockerState.NOT_FOUND
    assert result.frees


def test_a_container_that_was_stopped_on_request_is_stopped_without_a_problem() -> None:
    for state in (S.STOPPING, S.ERROR):
        result = step(a_worker(state), a_report(Phase.STOPPED, container_state="exited"), power=Power.STOPPED)

        assert result.worker is not None
        assert (result.worker.state, result.worker.problem) == (S.STOPPED, None)
        assert result.worker.docker_state is DockerState.STOPPED
        assert result.frees


def test_a_container_that_ended_by_itself_is_stopped_and_says_with_what_code() -> None:
    result = step(a_worker(S.READY), a_report(Phase.STOPPED, container_state="exited", exit_code=137))

    assert result.worker is not None
    assert result.worker.state is S.STOPPED
    assert result.worker.problem is not None
    assert "137" in result.worker.problem.message
    assert result.worker.docker_state is DockerState.EXITED


@pytest.mark.parametrize("state", [S.STOPPED, S.ERROR])
def test_what_had_ended_and_runs_again_is_ready_where_there_is_room(state: WorkerState) -> None:
    ended = a_worker(state, problem=NO_IMAGE)
    assignment = an_assignment(reserves=False, observed=a_report(Phase.RUNNING))

    again = next_step(ended, assignment, reachable_since=NOW, now=later(1))

    assert again.worker is not None
    assert again.without_room is not None
    assert (again.worker.state, again.worker.problem, again.worker.generation) == (S.READY, None, 1)


@pytest.mark.parametrize("state", [S.STOPPED, S.ERROR])
def test_what_runs_again_without_room_is_halted_and_says_so(state: WorkerState) -> None:
    ended = a_worker(state, problem=NO_IMAGE)
    assignment = an_assignment(reserves=False, observed=a_report(Phase.RUNNING))

    halted = next_step(ended, assignment, reachable_since=NOW, now=later(1)).without_room
    assert halted is not None
    asked = assignment.asking(a_spec(power=Power.STOPPED), at=later(1))
    stopped = asked.observing(a_report(Phase.STOPPED, generation=2, container_state="exited"))
    after = next_step(halted, stopped, reachable_since=NOW, now=later(2))

    assert halted.problem is not None
    assert (halted.state, halted.generation, halted.problem.code) == (state, 2, "no_room")
    assert after.worker is not None
    assert (after.worker.state, after.worker.problem, after.without_room) == (state, halted.problem, None)


def test_what_was_given_up_and_is_being_halted_is_not_ready() -> None:
    given_up = a_worker(S.ERROR, problem=NO_IMAGE)
    being_halted = an_assignment(power=Power.STOPPED, reserves=False, observed=a_report(Phase.RUNNING))

    after = next_step(given_up, being_halted, reachable_since=NOW, now=later(1))

    assert after.worker is not None
    assert (after.worker.state, after.worker.problem, after.without_room) == (S.ERROR, NO_IMAGE, None)


def test_what_the_node_says_after_the_deadline_replaces_the_deadline_s_own_words() -> None:
    late = a_worker(S.ERROR, problem=Problem(code="deadline_passed", message="too late"))

    result = step(late, a_report(Phase.FAILED, problem=NO_IMAGE))

    assert result.worker is not None
    assert result.worker.problem == NO_IMAGE


@pytest.mark.parametrize("phase", Phase)
def test_a_report_of_an_older_generation_tells_facts_and_decides_nothing(phase: Phase) -> None:
    worker = a_worker(S.STOPPING, generation=2)

    result = step(worker, a_report(phase, generation=1, container_id="c1"))

    assert result.worker is not None
    assert (result.worker.state, result.worker.container_id, result.frees) == (S.STOPPING, "c1", False)


@pytest.mark.parametrize("state", sorted(TRANSIENT - {S.DESTROYING}))
def test_a_passed_deadline_is_an_error_that_names_a_way_out(state: WorkerState) -> None:
    patience = PATIENCE[state].total_seconds()

    before = step(a_worker(state), None, at=patience - 1)
    after = step(a_worker(state), None, at=patience)

    assert before == Step(worker=a_worker(state), again_seconds=1)
    assert after.worker is not None
    assert (after.worker.state, after.frees) == (S.ERROR, False)
    assert after.worker.problem is not None
    assert (after.worker.problem.code, "start" in after.worker.problem.message) == ("deadline_passed", True)


@pytest.mark.parametrize("state", sorted(TRANSIENT))
def test_the_silence_of_an_unreachable_node_is_never_failure(state: WorkerState) -> None:
    worker = a_worker(state)
    for hours in range(1, 100):
        result = next_step(worker, an_assignment(), reachable_since=None, now=later(3600 * hours))
        assert result.worker is not None
        assert (result.worker.state, result.again_seconds) == (state, 30)
        worker = result.worker

    back = next_step(worker, an_assignment(), reachable_since=later(360_000), now=later(360_001))

    assert back.worker is not None
    assert back.worker.state is state
    assert back.worker.deadline_at is not None
    assert back.worker.deadline_at >= later(360_000) + PATIENCE[state]


def test_destroying_is_never_given_up() -> None:
    worker = a_worker(S.DESTROYING)
    for hours in range(1, 100):
        result = step(worker, a_report(Phase.FAILED, problem=NO_IMAGE), at=3600 * hours)
        assert result.worker is not None
        assert (result.worker.state, result.frees) == (S.DESTROYING, False)
        assert result.again_seconds is not None
        worker = result.worker


def test_the_record_ends_when_the_assignment_has_ended() -> None:
    assert next_step(a_worker(S.DESTROYING), None, reachable_since=None, now=NOW) == Step(worker=None)


@pytest.mark.parametrize("state", sorted(STANDING - {S.DESTROYING}))
def test_a_worker_whose_node_was_removed_says_so_once(state: WorkerState) -> None:
    first = next_step(a_worker(state), None, reachable_since=None, now=later(1)).worker
    assert first is not None

    again = next_step(first, None, reachable_since=None, now=later(2)).worker

    assert (first.state, first.docker_state) == (S.ERROR, DockerState.UNKNOWN)
    assert first.problem is not None
    assert first.problem.code == "node_removed"
    assert again == first


@given(st.text())
def test_an_engine_s_unknown_word_is_an_unknown_state(word: str) -> None:
    after = step(a_worker(), a_report(Phase.STARTING, container_state=word)).worker

    assert after is not None
    assert after.docker_state.value in (word, "unknown")


class Story(RuleBasedStateMachine):
    """A worker through any sequence of wishes, reports (new, old, repeated, lost), silence and time."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOW
        self.has_room = True
        self.worker: Worker | None = a_worker()
        self.assignment: Assignment | None = an_assignment()
        self.connected_since: datetime | None = NOW
        self.reachable_in_state = timedelta(0)
        self.reserved = 1

    def look(self) -> None:
        """What the reconciler does, and what must hold of it."""
        before = self.worker
        if before is None:
            return
        result = next_step(before, self.assignment, reachable_since=self.connected_since, now=self.now)
        if result.worker is None:
            assert before.state is S.DESTROYING
            assert self.assignment is None
        elif result.worker.state is not before.state:
            assert result.worker.state in MOVES[before.state]
            problem = result.worker.problem
            if problem is not None and problem.code == "deadline_passed":
                assert self.reachable_in_state >= PATIENCE[before.state]
            self.reachable_in_state = timedelta(0)
        elif result.worker.deadline_at is not None:
            assert result.again_seconds is not None
        if result.frees:
            assert self.assignment is not None
            assert self.assignment.reserves
            self.assignment = self.assignment.freed()
            self.reserved -= 1
        if result.without_room is not None:
            assert self.assignment is not None
            assert not self.assignment.reserves
        if result.without_room is not None and self.assignment is not None and self.has_room:
            self.assignment = replace(self.assignment, reserves=True)
            self.reserved += 1
        elif result.without_room is not None and self.assignment is not None:
            self.assignment = self.assignment.asking(a_spec(power=Power.STOPPED), at=self.now)
            self.worker = result.without_room
            return
        self.worker = result.worker

    def wish(self, to: WorkerState, assignment: Assignment) -> None:
        if self.worker is not None and to in MOVES[self.worker.state]:
            self.worker = replace(self.worker.moved(to, at=self.now), generation=self.worker.generation + 1)
            self.assignment = assignment
            self.reachable_in_state = timedelta(0)

    @precondition(lambda self: self.assignment is not None)
    @rule()
    def stop(self) -> None:
        assert self.assignment is not None
        self.wish(S.STOPPING, self.assignment.asking(a_spec(power=Power.STOPPED), at=self.now))

    @precondition(lambda self: self.assignment is not None and self.worker is not None)
    @rule()
    def start(self) -> None:
        assert self.assignment is not None
        assert self.worker is not None
        if S.STARTING in MOVES[self.worker.state]:
            self.reserved += not self.assignment.reserves
        self.wish(S.STARTING, started(self.assignment, at=self.now))

    @rule()
    def destroy(self) -> None:
        if self.assignment is not None and self.worker is not None and self.worker.state is not S.DESTROYING:
            self.wish(S.DESTROYING, self.assignment.asking_absent(at=self.now))

    @precondition(lambda self: self.assignment is not None and self.connected_since is not None)
    @rule(phase=st.sampled_from(Phase), behind=st.integers(min_value=0, max_value=2), told=st.booleans())
    def report(self, phase: Phase, behind: int, told: bool) -> None:
        assert self.assignment is not None
        if phase is Phase.ABSENT and self.assignment.wanted is Wanted.ABSENT and behind == 0:
            self.reserved -= self.assignment.reserves
            self.assignment = None
        else:
            report = a_report(phase, generation=self.assignment.generation - behind, at=self.now)
            self.assignment = self.assignment.observing(report)
        if told:
            self.look()

    @rule(seconds=st.integers(min_value=1, max_value=3600))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        if self.connected_since is not None:
            self.reachable_in_state += timedelta(seconds=seconds)
        self.look()

    @rule()
    def others_come_or_go(self) -> None:
        self.has_room = not self.has_room

    @rule()
    def disconnect(self) -> None:
        self.connected_since = None
        self.reachable_in_state = timedelta(0)
        self.look()

    @precondition(lambda self: self.connected_since is None)
    @rule()
    def reconnect(self) -> None:
        self.connected_since = self.now
        self.look()

    @invariant()
    def looking_again_changes_nothing_more(self) -> None:
        self.look()
        settled, reserved = self.worker, self.reserved
        self.look()
        assert (self.worker, self.reserved) == (settled, reserved)

    @invariant()
    def the_reservation_is_held_once_or_not_at_all(self) -> None:
        holds = self.assignment is not None and self.assignment.reserves
        assert self.reserved == holds

    @invariant()
    def what_arrives_or_runs_holds_room(self) -> None:
        if self.worker is not None and self.worker.state in (S.SPAWNING, S.STARTING, S.READY, S.STOPPING):
            assert self.reserved or self.assignment is None or self.worker.state is S.STOPPING


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=min(60, settings().max_examples), stateful_step_count=40, deadline=None)
