"""The oracle sees what it is there for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.chaos.oracle import EngineFate, Oracle, Seen, SeenContainer, SeenWorker, Wanted, compare

NOW = datetime(2026, 1, 1, tzinfo=UTC)
READY = SeenWorker(id="w", state="ready", problem=None, container_id="c")
STOPPED = replace(READY, state="stopped")
CONTAINER = SeenContainer(id="c", worker_id="w", running=True)
CLEAN = Seen(
    workers=[READY],
    containers=[CONTAINER],
    networks={"w-net": "w"},
    volumes={"w-workspace": "w"},
    processes={1: "c"},
    reserved=1,
    at=NOW,
)
GONE = Seen(workers=[], containers=[], networks={}, volumes={}, processes={}, reserved=0, at=NOW)


def an_oracle(wanted: Wanted = Wanted.RUNNING) -> Oracle:
    oracle = Oracle()
    oracle.spawned("key", "w")
    oracle.asked("w", wanted)
    return oracle


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (Wanted.RUNNING, CLEAN),
        (
            Wanted.STOPPED,
            replace(CLEAN, workers=[STOPPED], containers=[replace(CONTAINER, running=False)], processes={}, reserved=0),
        ),
        (Wanted.GONE, GONE),
    ],
)
def test_what_is_as_it_was_asked_for_is_no_finding(wanted: Wanted, seen: Seen) -> None:
    assert not compare(an_oracle(wanted), seen)


@pytest.mark.parametrize(
    ("wanted", "seen", "finding"),
    [
        (Wanted.RUNNING, GONE, "lost"),
        (Wanted.GONE, CLEAN, "lost"),
        (Wanted.STOPPED, CLEAN, "lost"),
        (Wanted.RUNNING, replace(CLEAN, workers=[replace(READY, state="error")]), "lost"),
        (Wanted.RUNNING, replace(CLEAN, containers=[replace(CONTAINER, running=False)], processes={}), "lost"),
        (Wanted.RUNNING, replace(CLEAN, containers=[CONTAINER, replace(CONTAINER, id="d")]), "duplicates"),
        (Wanted.RUNNING, replace(CLEAN, workers=[READY, replace(READY, id="other")]), "duplicates"),
        (Wanted.GONE, replace(GONE, containers=[CONTAINER]), "orphan_containers"),
        (Wanted.GONE, replace(GONE, networks={"w-net": "w"}), "orphan_networks"),
        (Wanted.GONE, replace(GONE, volumes={"w-workspace": "w"}), "orphan_volumes"),
        (Wanted.GONE, replace(GONE, processes={1: "c"}), "orphan_processes"),
        (Wanted.RUNNING, replace(CLEAN, workers=[replace(READY, state="starting")]), "transient"),
        (
            Wanted.RUNNING,
            replace(CLEAN, workers=[replace(READY, state="starting", deadline_at=NOW - timedelta(seconds=1))]),
            "overdue",
        ),
        (Wanted.RUNNING, replace(CLEAN, reserved=2), "miscounted"),
        (Wanted.GONE, replace(GONE, reserved=1), "miscounted"),
    ],
)
def test_what_is_not_as_it_was_asked_for_is_found(wanted: Wanted, seen: Seen, finding: str) -> None:
    assert compare(an_oracle(wanted), seen).counts()[finding]


def test_a_key_that_is_answered_with_two_workers_is_a_duplicate() -> None:
    oracle = an_oracle()

    oracle.spawned("key", "another")

    assert compare(oracle, CLEAN).counts()["duplicates"]


def test_a_worker_may_end_with_an_engine_that_takes_its_containers_along_if_it_says_so() -> None:
    ended = replace(STOPPED, problem="worker_exited")
    seen = replace(CLEAN, workers=[ended], containers=[replace(CONTAINER, running=False)], processes={}, reserved=0)

    assert not compare(an_oracle(), seen, engine=EngineFate.KILLED_WITH_CONTAINERS)
    assert compare(an_oracle(), seen).counts()["lost"]
    assert compare(an_oracle(), replace(seen, workers=[STOPPED]), engine=EngineFate.KILLED_WITH_CONTAINERS).counts()[
        "lost"
    ]


def test_what_an_engine_refuses_for_good_after_it_was_killed_is_told_apart() -> None:
    refused = replace(READY, state="error", problem="engine_refused")
    seen = replace(CLEAN, workers=[refused], containers=[], processes={}, reserved=0)

    assert compare(an_oracle(), seen).counts()["lost"]
    assert len(compare(an_oracle(), seen, engine=EngineFate.KILLED).given_up) == 1
    assert not compare(an_oracle(), seen, engine=EngineFate.KILLED)
