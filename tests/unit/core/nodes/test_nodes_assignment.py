"""Assignments: generations only grow, absence sticks, and no stale report ever wins."""

import orjson
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import a_report, a_spec, an_assignment, later

from spunto.core.nodes.assignment import Observation, bounded_setup
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.worker import Power, WorkerSpec, read, write
from spunto.core.workers.assigned import spec_of

generations = st.integers(min_value=1, max_value=8)
reports = st.builds(
    lambda generation, phase: a_report(phase, generation=generation), generations, st.sampled_from(Phase)
)
distinct_reports = st.lists(reports, unique_by=lambda report: report.generation, min_size=1)
words = st.text(min_size=1)
specs = st.builds(
    WorkerSpec,
    org_id=words,
    image=words,
    made_in=generations,
    power=st.sampled_from(Power),
    env=st.dictionaries(words, st.text()),
    cpu_millis=generations,
    memory_bytes=generations,
    pids=generations,
    post_create_command=st.none() | words,
    post_start_command=st.none() | words,
)


@given(generations, st.lists(reports))
def test_what_was_heard_never_goes_back_nor_ahead_of_what_was_asked(generation: int, heard: list[Observation]) -> None:
    assignment = an_assignment(generation=generation)
    before = 0

    for report in heard:
        assignment = assignment.observing(report)
        now = 0 if assignment.observed is None else assignment.observed.generation
        assert before <= now <= generation
        before = now


@given(st.data())
def test_reordered_and_repeated_reports_end_the_same(data: st.DataObject) -> None:
    heard = data.draw(distinct_reports)
    shuffled = data.draw(st.permutations(heard + data.draw(st.lists(st.sampled_from(heard)))))
    in_order = reordered = an_assignment(generation=data.draw(generations))

    for report in heard:
        in_order = in_order.observing(report)
    for report in shuffled:
        reordered = reordered.observing(report)

    assert in_order == reordered


def test_a_later_word_on_the_same_generation_replaces_the_earlier_one() -> None:
    assignment = an_assignment().observing(a_report(Phase.CREATING))

    assert assignment.observing(a_report(Phase.RUNNING)).observed == a_report(Phase.RUNNING)


def test_absence_sticks_and_is_asked_for_once() -> None:
    absent = an_assignment().asking_absent(at=later(1))

    assert (absent.wanted, absent.generation, absent.wanted_since) == (Wanted.ABSENT, 2, later(1))
    assert absent.asking_absent(at=later(2)) is absent


def test_every_change_of_what_is_wanted_is_a_new_generation() -> None:
    asked = an_assignment().asking(a_spec(power=Power.STOPPED), at=later(1))

    assert (asked.generation, spec_of(asked).power, asked.wanted_since) == (2, Power.STOPPED, later(1))


def test_it_is_settled_when_the_node_spoke_of_the_newest_generation() -> None:
    asked = an_assignment().observing(a_report()).asking(a_spec(), at=later(1))

    assert not asked.is_settled
    assert asked.observing(a_report(generation=2)).is_settled


@given(specs)
def test_a_spec_survives_travel_and_storage(spec: WorkerSpec) -> None:
    assert read(orjson.loads(orjson.dumps(write(spec)))) == spec


def test_a_setup_s_status_is_kept_up_to_its_limit_and_told_to_be_larger_beyond() -> None:
    fits = {"phase": "ready", "postCreate": {"exitCode": 0, "outputTail": "x" * 60_000}}
    floods = {"phase": "ready", "postCreate": {"exitCode": 0, "outputTail": "é" * 40_000}}

    kept, dropped = bounded_setup(fits), bounded_setup(floods)

    assert kept is fits
    assert dropped is not None
    assert (dropped["phase"], dropped["postCreate"]) == ("ready", None)
    assert "64 KiB" in dropped["error"]
    assert bounded_setup(None) is None
