"""Journals of the release before there were kinds are read: what an agent of it wrote down, this one goes on with."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import orjson
import pytest
from tests.unit.core.executor.living_node import LivingNode
from tests.unit.core.executor.node_values import IMAGE, NODE, desired
from tests.unit.core.executor.worker_steps import KIND

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.journal import Entry, body_of, entry_of
from spunto.core.executor.kinds.setup import Setup, Stage
from spunto.core.executor.kinds.worker import setup_of
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.reading import Reading
from spunto.core.executor.runtime import Container, ContainerSpec, Mount, Network
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import Phase, Wanted
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


def test_a_burial_of_then_counts_no_further_than_a_server_of_today() -> None:
    buried = orjson.loads(GOING) | {"generation": 2**53 - 1}

    assert read(orjson.dumps(buried)).desired.generation == 2**32


def test_a_command_that_was_under_way_is_not_run_again() -> None:
    ledger = KIND.interrupted(read(INTERRUPTED).ledger)

    assert setup_of(ledger) == Setup(due=(Stage.POST_START,), status=setup_of(ledger).status)
    assert setup_of(ledger).status is not None
    assert (setup_of(ledger).status or {})["postCreate"] == {"exitCode": None, "outputTail": ""}


async def test_an_updated_agent_goes_on_with_what_runs_and_begins_nothing_again() -> None:
    entry = read(WITH_SETUP)
    begun_at = datetime.fromisoformat(orjson.loads(WITH_SETUP)["ledger"]["setup"]["startedAt"])
    node = LivingNode(runtime=FakeRuntime(images=[IMAGE], now=lambda: begun_at))
    subject_id = entry.desired.id
    standing = await as_the_first_release_made_it(node.runtime, subject_id)
    node.journal.save([entry])
    async with node.running() as (runner, listener):
        going_on = await listener.until_phase(Phase.RUNNING, 1, subject_id)
        runner.apply(desired(replace(entry.desired, generation=2, wanted=Wanted.ABSENT, spec=None)))
        await listener.until_phase(Phase.ABSENT, 2, subject_id)

    assert (going_on.container_id, going_on.error) == (standing.container_id, None)
    assert going_on.setup == orjson.loads(WITH_SETUP)["ledger"]["setup"]
    assert set(node.events) <= {"engine_found", "assigned", "action_done"}
    assert await node.runtime.list_containers(label="spunto.id") == []
    assert (await node.runtime.list_networks(), node.runtime._volumes) == ([], {})


async def as_the_first_release_made_it(runtime: FakeRuntime, subject_id: str) -> Container:
    name = f"mp-worker-{subject_id.removeprefix('wkr_')}"
    labels = {
        "spunto.node": NODE,
        "spunto.org": "org_01m8fv4fw78gpny5nsgf7zgz35",
        "spunto.kind": "worker",
        "spunto.id": subject_id,
        "spunto.generation": "1",
    }
    of_network = {key: value for key, value in labels.items() if key != "spunto.generation"}
    await runtime.ensure_network(Network(name=f"{name}-net", subnet="10.208.0.0/28", labels=of_network))
    made = await runtime.create_container(
        ContainerSpec(
            name=name,
            image=IMAGE,
            network=f"{name}-net",
            hostname=name,
            labels=labels,
            mounts=(Mount(volume=f"{name}-workspace", path="/workspace"),),
            cpu_millis=1000,
            memory_bytes=1024**3,
            pids=1024,
        )
    )
    await runtime.start_container(name)
    return made
