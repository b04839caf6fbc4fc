"""Journals of the release before there were kinds are read: what an agent of it wrote down, this one goes on with."""

from pathlib import Path

import orjson
import pytest
from tests.unit.core.executor.living_node import LivingNode
from tests.unit.core.executor.worker_steps import KIND

from spunto.core.executor.journal import Entry, MemoryJournal, body_of, entry_of
from spunto.core.executor.kinds.setup import Setup, Stage
from spunto.core.executor.kinds.worker import setup_of
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.reading import Reading
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import Phase
from spunto.core.specs.worker import network_name

BODIES = (Path(__file__).parent / "journals" / "first.jsonl").read_bytes().splitlines()
RUNNING, WITH_SETUP, STOPPED, GOING, INTERRUPTED, GIVEN_UP = BODIES


def read(body: bytes) -> Entry:
    entry = entry_of(body)
    assert entry is not None
    return entry


@pytest.mark.parametrize("body", BODIES)
def test_an_entry_is_read_whole_and_keeps_what_it_says(body: bytes) -> None:
    entry, written = read(body), orjson.loads(body)

    assert entry.unread is None
    assert Reading().item(entry.desired).refused is None
    assert KIND.knows(entry.ledger.own)
    assert entry.desired.spec == written["spec"]
    assert setup_of(entry.ledger).status == written["ledger"]["setup"]
    assert read(body_of(entry)) == entry


def test_what_was_done_is_still_done() -> None:
    going, given_up, stopped = read(GOING), read(GIVEN_UP), read(STOPPED)

    assert going.ledger == Ledger(ran_generation=2, removed=frozenset({network_name(going.desired.id)}))
    assert (stopped.desired.generation, stopped.ledger.ran_generation) == (2, 1)
    assert given_up.ledger == Ledger(
        failed_generation=2,
        problem=Problem(code="engine_refused", message="no"),
        lacked_image_in=1,
        pulled_in=2,
        remade_in=2,
        refused_id="c1",
    )


def test_a_command_that_was_under_way_is_not_run_again() -> None:
    ledger = KIND.interrupted(read(INTERRUPTED).ledger)

    assert setup_of(ledger) == Setup(due=(Stage.POST_START,), status=setup_of(ledger).status)
    assert setup_of(ledger).status is not None
    assert (setup_of(ledger).status or {})["postCreate"] == {"exitCode": None, "outputTail": ""}


async def test_an_agent_that_was_updated_runs_what_runs_and_starts_nothing_again() -> None:
    node = LivingNode()
    journal = MemoryJournal()
    journal.save([read(RUNNING)])
    node.journal = journal
    subject_id = read(RUNNING).desired.id
    async with node.running() as (_, listener):
        lost = await listener.until_phase(Phase.FAILED, 1, subject_id)

    assert lost.error is not None
    assert lost.error.code == "container_lost"
    assert await node.runtime.list_containers(label="spunto.id") == []
