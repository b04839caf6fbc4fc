"""When a worker that nobody uses is stopped, and when it is not known whether somebody does."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.unit.core.builders import NOW, a_node, a_worker

from spunto.core.nodes.model import Node
from spunto.core.routes.model import Edge, EdgeId
from spunto.core.workers.idle import LOOK_AGAIN_SECONDS, LOST_FOR, TOLD_WITHIN, Verdict, is_news, judged
from spunto.core.workers.model import IDLE as REASON
from spunto.core.workers.model import Activity, Worker, WorkerState
from spunto.core.workers.saving import standing_of

HOUR = 3600
LONG_AGO = NOW - timedelta(days=1)


def idle_worker(**fields: Any) -> Worker:
    given: dict[str, Any] = {"state": WorkerState.READY, "state_since": NOW, "idle_timeout_seconds": HOUR}
    return a_worker(**given | fields)


def connected(since: datetime = LONG_AGO) -> Node:
    return replace(a_node(), connected=True, connection_changed_at=since)


def an_edge(lease_until: datetime | None) -> Edge:
    return Edge(id=EdgeId("edg_1"), name="one", token_hash=b"", created_at=NOW, lease_until=lease_until)


def judge(
    worker: Worker,
    *,
    after_seconds: float,
    node: Node | None = None,
    edges: tuple[Edge, ...] = (),
    listening_since: datetime = LONG_AGO,
) -> Verdict:
    now = NOW + timedelta(seconds=after_seconds)
    return judged(worker, node=node or connected(), edges=edges, listening_since=listening_since, now=now)


IDLE = Verdict(is_idle=True)
LATER = Verdict(again_seconds=LOOK_AGAIN_SECONDS)


def test_it_is_idle_when_the_time_is_over_and_not_before() -> None:
    assert judge(idle_worker(), after_seconds=HOUR - 1) == Verdict(again_seconds=1)
    assert judge(idle_worker(), after_seconds=HOUR) == IDLE


def test_one_without_a_timeout_is_never_idle() -> None:
    assert judge(idle_worker(idle_timeout_seconds=None), after_seconds=10 * HOUR) == Verdict()


@pytest.mark.parametrize("state", [each for each in WorkerState if each is not WorkerState.READY])
def test_one_that_does_not_run_is_not_stopped(state: WorkerState) -> None:
    assert judge(idle_worker(state=state), after_seconds=10 * HOUR) == Verdict()


def test_edges_are_told_why_it_is_down() -> None:
    stopping = replace(idle_worker().moved(WorkerState.STOPPING, at=NOW), stop_reason=REASON)
    stopped = stopping.moved(WorkerState.STOPPED, at=NOW)

    assert [standing_of(each).reason for each in (stopping, stopped)] == ["idle", "idle"]
    assert stopped.moved(WorkerState.STARTING, at=NOW).stop_reason is None


def test_the_time_begins_when_it_can_be_used() -> None:
    late = idle_worker(last_activity_at=NOW - timedelta(seconds=2 * HOUR))

    assert judge(late, after_seconds=1) == Verdict(again_seconds=HOUR - 1)


def test_what_is_kept_alive_goes_on_and_nothing_is_shortened_by_it() -> None:
    kept = idle_worker().kept(until=NOW + timedelta(seconds=2 * HOUR))

    assert kept.kept(until=NOW + timedelta(seconds=1.5 * HOUR)) == kept
    assert judge(kept, after_seconds=1.5 * HOUR) == Verdict(again_seconds=0.5 * HOUR)
    assert judge(kept, after_seconds=2 * HOUR) == IDLE
    assert judge(idle_worker().kept(until=NOW), after_seconds=1) == Verdict(again_seconds=HOUR - 1)


@pytest.mark.parametrize(("phase", "expected"), [("lifecycle", LATER), ("ready", IDLE), ("error", IDLE)])
def test_a_set_up_that_is_under_way_is_work(phase: str, expected: Verdict) -> None:
    assert judge(idle_worker(setup={"phase": phase}), after_seconds=HOUR) == expected


def test_a_node_that_is_away_or_has_just_come_back_tells_nothing_of_uses() -> None:
    away = replace(connected(), connected=False)
    just_back = connected(NOW + timedelta(seconds=HOUR) - TOLD_WITHIN + timedelta(seconds=1))
    back = connected(NOW + timedelta(seconds=HOUR) - TOLD_WITHIN)

    assert [judge(idle_worker(), after_seconds=HOUR, node=each) for each in (away, just_back, back)] == [
        LATER,
        LATER,
        IDLE,
    ]


def test_a_server_that_has_just_begun_has_not_heard_of_uses() -> None:
    just_begun = NOW + timedelta(seconds=HOUR - 1)

    assert judge(idle_worker(), after_seconds=HOUR, listening_since=just_begun) == LATER


def test_a_lost_edge_may_be_serving_somebody_for_a_while() -> None:
    now = NOW + timedelta(seconds=HOUR)
    leases = {
        "held": now + timedelta(seconds=5),
        "just lost": now - timedelta(seconds=1),
        "lost": now - LOST_FOR,
        "never there": None,
    }

    found = {name: judge(idle_worker(), after_seconds=HOUR, edges=(an_edge(until),)) for name, until in leases.items()}

    assert found == {"held": IDLE, "just lost": LATER, "lost": IDLE, "never there": IDLE}


@pytest.mark.parametrize(("timeout_seconds", "every_seconds"), [(None, 30), (HOUR, 30), (60, 15)])
def test_a_use_is_written_oftener_than_the_worker_would_be_stopped(
    timeout_seconds: int | None, every_seconds: int
) -> None:
    worker = idle_worker(idle_timeout_seconds=timeout_seconds)
    at = NOW + timedelta(seconds=every_seconds)

    assert is_news(worker, worker.used(Activity.HTTP, at=at))
    assert not is_news(worker, worker.used(Activity.HTTP, at=at - timedelta(seconds=1)))


def test_a_use_that_lasts_is_written_whenever_it_began() -> None:
    worker = idle_worker(idle_timeout_seconds=60)
    lasting = worker.used(Activity.EXEC, at=NOW + timedelta(seconds=1)).kept(until=NOW + timedelta(seconds=300))

    assert is_news(worker, lasting)
