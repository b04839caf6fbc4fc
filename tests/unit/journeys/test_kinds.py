"""Two kinds that the tests bring with them live on a node like any other, and an agent without them says so."""

from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from tests.kinds.asking import Asking, registered
from tests.kinds.bridge import BridgeSpec, network_of
from tests.unit.journeys.steps import a_ready_worker, is_clean

from spunto.adapters.memory.runtime_commands import Process
from spunto.core.executor.reading import Reading
from spunto.core.executor.runtime import EngineUnavailable
from spunto.core.protocol.messages import Phase
from spunto.core.specs.names import name_of
from spunto.core.workers.model import WorkerState
from spunto.testing.harness import Harness
from spunto.testing.node import SimulatedNode


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    """What an agent from before the kinds understands; agents that are made now understand them."""
    with registered(monkeypatch) as older:
        yield older


@pytest.fixture
async def asking(before: Reading) -> AsyncIterator[Asking]:
    async with Harness() as harness:
        yield Asking(harness=harness)


async def a_node(asking: Asking) -> tuple[SimulatedNode, list[str]]:
    """With a command `tick` that leaves a mark each time it runs."""
    ticks: list[str] = []

    async def tick(_: Process, arguments: Sequence[str]) -> int:
        ticks.append(" ".join(arguments))
        return 7

    return await asking.harness.add_node("one", commands={"tick": tick}), ticks


async def test_a_thing_stands_on_the_network_of_another_and_its_result_is_kept(asking: Asking) -> None:
    node, ticks = await a_node(asking)
    bridge = await asking.bridge()
    errand = await asking.errand(bridge)
    await asking.harness.settle()

    assert await asking.seen(bridge) == (Phase.RUNNING, None, None)
    assert await asking.seen(errand) == (Phase.STOPPED, None, 7)
    assert node.engine.networks() == [network_of(bridge)]

    node.restart_agent()
    await asking.harness.settle()
    await node.engine.remove_by_hand(name_of("errand", errand))
    await asking.harness.settle()

    assert await asking.seen(errand) == (Phase.STOPPED, None, 7)
    assert ticks == [""]


async def test_what_is_needed_is_waited_for(asking: Asking) -> None:
    _, ticks = await a_node(asking)
    bridge = asking.new_id("brg")
    errand = await asking.errand(bridge)
    await asking.harness.advance(1)
    assert await asking.seen(errand) == (Phase.CREATING, "needs_awaited", None)

    await asking.stands("bridge", "brg", BridgeSpec(org_id=asking.harness.organization.id), subject_id=bridge)
    await asking.harness.settle()

    assert await asking.seen(errand) == (Phase.STOPPED, None, 7)
    assert ticks == [""]


async def test_what_is_needed_goes_last_and_nothing_is_left(asking: Asking) -> None:
    node, _ = await a_node(asking)
    bridge = await asking.bridge()
    errand = await asking.errand(bridge, ("sleep", "infinity"))
    await asking.harness.settle()

    await asking.gone(bridge)
    await asking.harness.advance(1)
    assert await asking.seen(bridge) == (Phase.REMOVING, "still_needed", None)
    assert await asking.seen(errand) == (Phase.RUNNING, None, None)
    assert "action_failed" not in {entry["event"] for entry in node.logged}

    node.restart_agent()
    await asking.gone(errand)
    await asking.harness.advance(1)

    assert (await asking.find(bridge), await asking.find(errand)) == (None, None)
    assert is_clean(node)


@pytest.mark.parametrize("effect", ["create_container", "start_container"])
async def test_an_agent_killed_in_the_middle_goes_on_and_runs_it_once(asking: Asking, effect: str) -> None:
    node, ticks = await a_node(asking)
    bridge = await asking.bridge()
    await asking.harness.settle()
    node.kill_agent_after(effect)
    errand = await asking.errand(bridge)
    await asking.harness.settle()
    assert node.agent is None

    node.start_agent()
    await asking.harness.settle()

    assert await asking.seen(errand) == (Phase.STOPPED, None, 7)
    assert ticks == [""]


async def test_what_was_begun_without_anybody_knowing_its_end_is_lost_and_never_run(asking: Asking) -> None:
    node, ticks = await a_node(asking)
    bridge = await asking.bridge()
    await asking.harness.settle()
    node.engine.fail_next("start_container", EngineUnavailable("its daemon was killed"))
    errand = await asking.errand(bridge)
    await asking.harness.advance(60)
    assert await asking.seen(errand) == (Phase.FAILED, "lost", None)

    node.restart_agent()
    await asking.harness.advance(60)

    assert await asking.seen(errand) == (Phase.FAILED, "lost", None)
    assert ticks == []


async def test_an_agent_without_the_kind_says_so_and_its_workers_run_on(asking: Asking, before: Reading) -> None:
    node, ticks = await a_node(asking)
    worker = await a_ready_worker(asking.harness)
    node.reading = before
    node.restart_agent()
    bridge = await asking.bridge()
    errand = await asking.errand(bridge)
    await asking.harness.advance(60)

    assert [await asking.seen(each) for each in (bridge, errand)] == 2 * [(Phase.REFUSED, "kind_unknown", None)]
    assert await worker.state() is WorkerState.READY
    [container] = node.containers()

    node.reading = Reading()
    node.restart_agent()
    await asking.harness.advance(1)

    assert await asking.seen(errand) == (Phase.STOPPED, None, 7)
    assert ticks == [""]
    assert container in node.containers()


async def test_an_agent_that_no_longer_knows_the_kind_takes_it_away_by_its_labels(
    asking: Asking, before: Reading
) -> None:
    node, _ = await a_node(asking)
    bridge = await asking.bridge()
    errand = await asking.errand(bridge, ("sleep", "infinity"))
    await asking.harness.settle()
    node.reading = before
    node.restart_agent()
    await asking.harness.settle()
    assert await asking.seen(errand) == (Phase.REFUSED, "kind_unknown", None)
    assert len(node.containers()) == 1

    await asking.gone(errand, bridge)
    await asking.harness.advance(60)

    assert (await asking.find(bridge), await asking.find(errand)) == (None, None)
    assert is_clean(node)


async def test_a_deleted_thing_that_comes_back_by_hand_is_buried_as_what_it_was(asking: Asking) -> None:
    node, _ = await a_node(asking)
    bridge = await asking.bridge()
    errand = await asking.errand(bridge, ("sleep", "infinity"))
    await asking.harness.settle()
    [container] = node.containers()
    spec = node.engine._containers[container.name].spec
    await asking.gone(errand)
    await asking.harness.settle()
    node.lose_journal()

    await node.engine.create_container(spec)
    await asking.harness.advance(60)

    assert node.containers() == []
