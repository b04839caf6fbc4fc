"""What a newer agent or server wrote is kept, told, and not half understood; what was buried stays buried."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.kinds.asking import registered
from tests.kinds.bridge import BridgeSpec
from tests.kinds.errand import ErrandSpec
from tests.kinds.errand import write as write_errand
from tests.unit.core.executor.living_node import LivingNode
from tests.unit.core.executor.node_values import IMAGE, WORKER, a_desired_item, a_spec, desired

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.adapters.memory.runtime_commands import Process
from spunto.core.executor.journal import MAX_GRAVES, Entry, Grave, MemoryJournal, body_of, entry_of
from spunto.core.executor.kinds.worker import setup_of
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.listing import UNCHANGED_LISTS
from spunto.core.executor.notes import Notes
from spunto.core.executor.reading import Reading
from spunto.core.executor.runtime import ContainerState
from spunto.core.executor.streams.serving import STREAMS, NodeStreams
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.log import silent
from spunto.core.protocol.messages import DesiredItem, Inventory, Phase, Wanted
from spunto.core.specs.kind import SPECS
from spunto.core.specs.spec import SpecUnknown
from spunto.core.specs.worker import Power, container_name, read, write

NAME = container_name(WORKER)
RELIST_SECONDS = 30.0


def as_a_newer_agent_wrote_it(entry: Entry, **more: Any) -> dict[str, Any]:
    """The entry with one more field in its ledger, in the kind's own part of it, or beside both."""
    body: dict[str, Any] = orjson.loads(body_of(entry))
    body["ledger"] = {**body["ledger"], **more.get("ledger", {})}
    body["ledger"]["own"] = {**body["ledger"]["own"], **more.get("own", {})}
    return {**body, **more.get("beside", {})}


@pytest.mark.parametrize("more", [{"ledger": {"mood": 1}}, {"own": {"mood": 1}}, {"beside": {"mood": 1}}])
async def test_the_memory_of_a_newer_agent_is_kept_and_its_worker_left_as_it_stands(more: dict[str, Any]) -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1, post_create_command="true"), whole=True))
        first = await listener.until_phase(Phase.RUNNING, 1)
    [entry] = node.journal.load()
    newer = as_a_newer_agent_wrote_it(entry, **more)
    journal = node.journal = MemoryJournal()
    journal._bodies[WORKER] = orjson.dumps(newer)

    async with node.running() as (runner, listener):
        await runner.engine_answered()
        runner.apply(desired(a_desired_item(1), whole=True))
        refused = await listener.until_phase(Phase.REFUSED, 1)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED)))
        await listener.until_phase(Phase.REFUSED, 2)
        assert runner.standing(WORKER) is not None

    assert refused.error is not None
    assert (refused.error.code, refused.container_id) == ("spec_unknown", first.container_id)
    stopping = {"generation": 2, "spec": write(a_spec(power=Power.STOPPED))}
    assert orjson.loads(journal._bodies[WORKER]) == newer | stopping
    assert node.runtime._containers[NAME].state is ContainerState.RUNNING

    async with node.running() as (runner, listener):
        await runner.engine_answered()
        runner.apply(desired(a_desired_item(3, wanted=Wanted.ABSENT)))
        await listener.until_phase(Phase.ABSENT, 3)
    assert await node.runtime.list_containers(label="spunto.id") == []
    assert (await node.runtime.list_networks(), node.runtime._volumes) == ([], {})


async def test_what_is_not_understood_breaks_off_nothing_that_is_under_way() -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(_: Process, __: Sequence[str]) -> int:
        begun.set()
        await may_end.wait()
        return 0

    node = LivingNode(runtime=FakeRuntime(images=[IMAGE], commands={"slow": slow}))
    wanted = a_desired_item(1, post_create_command="slow")
    async with node.running() as (runner, listener):
        runner.apply(desired(wanted, whole=True))
        await begun.wait()
        runner.apply(desired(replace(wanted, generation=2, spec={**(wanted.spec or {}), "motto": "x"})))
        may_end.set()
        await listener.until_phase(Phase.REFUSED, 2)
        [entry] = node.journal.load()

    assert setup_of(entry.ledger).status is not None
    assert (setup_of(entry.ledger).status or {})["postCreate"] == {"exitCode": 0, "outputTail": ""}


def test_an_older_agent_s_entry_lacks_nothing() -> None:
    entry = Entry(desired=a_desired_item(), ledger=Ledger(ran_generation=1, needs=("brg_1",)))

    assert entry_of(body_of(entry)) == entry


@pytest.mark.parametrize("field", [{"motto": "x"}, {"power": "hibernating"}, {"cpuMillis": "1000"}, {"env": {"A": 1}}])
def test_a_spec_is_read_whole_or_not_at_all(field: dict[str, Any]) -> None:
    with pytest.raises(SpecUnknown):
        read(write(a_spec()) | field)


@pytest.mark.parametrize(("abilities", "code"), [((), "spec_unknown"), (("egress",), None)])
def test_an_ability_that_the_agent_lacks_refuses_the_item(abilities: tuple[str, ...], code: str | None) -> None:
    item = Reading(abilities=frozenset(abilities)).item(a_desired_item(requires=("egress",)))

    assert (item.refused and item.refused.code) == code
    assert (item.spec is None) == (code is not None)


def test_the_streams_that_are_announced_are_those_that_are_served() -> None:
    node = LivingNode()

    async def node_inventory() -> Inventory:
        raise NotImplementedError

    streams = NodeStreams(node.runtime, clock=node.clock, standing=lambda _: None, inventory=node_inventory)

    assert sorted([*streams._kinds, *streams._of_node]) == sorted(STREAMS)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_server_that_asks_for_less_than_was_buried_hears_so_and_nothing_is_made(restarted: bool) -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1), whole=True))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(a_desired_item(3, wanted=Wanted.ABSENT)))
        await listener.until_phase(Phase.ABSENT, 3)
        runner.forget([WORKER])
        if not restarted:
            await _is_told_of_the_grave(node, runner, listener)
    if restarted:
        async with node.running() as (runner, listener):
            await runner.engine_answered()
            await _is_told_of_the_grave(node, runner, listener)


def test_of_graves_the_newest_are_remembered() -> None:
    journal = MemoryJournal()
    notes = Notes(journal, log=silent)
    graves = [Grave(kind="worker", id=f"wkr_{number}", generation=1) for number in range(MAX_GRAVES + 1)]

    notes.bury(graves[:-1])
    notes.bury(graves[-1:])

    assert (notes.grave_of("wkr_0"), notes.grave_of("wkr_1")) == (None, graves[1])
    assert journal.graves() == graves[1:]


async def _is_told_of_the_grave(node: LivingNode, runner: Any, listener: Any) -> None:
    listener.heard.clear()
    runner.apply(desired(a_desired_item(1), whole=True))

    assert [(each.phase, each.generation) for each in listener.heard] == [(Phase.ABSENT, 3)]
    assert (await node.runtime.list_containers(label="spunto.id"), node.journal.load()) == ([], [])

    runner.apply(desired(a_desired_item(4)))
    await listener.until_phase(Phase.RUNNING, 4)


async def test_an_inventory_travels_when_it_changed_and_now_and_then() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1), whole=True))
        await listener.until_phase(Phase.RUNNING, 1)
        await node.while_time_passes(lambda: listener.inventories and listener.inventories[-1][0])
        told = len(listener.inventories)

        began = node.clock.monotonic()
        await node.while_time_passes(lambda: node.clock.monotonic() - began > 10 * RELIST_SECONDS)
        assert len(listener.inventories) == told

        await node.runtime.exit_container(NAME, 3)
        await node.while_time_passes(lambda: len(listener.inventories) == told + 1)
        assert listener.inventories[-1][0][0].docker_state == "exited"

        began = node.clock.monotonic()
        await node.while_time_passes(lambda: len(listener.inventories) == told + 2)
        assert node.clock.monotonic() - began >= (UNCHANGED_LISTS - 1) * RELIST_SECONDS


async def test_what_runs_at_most_once_is_not_begun_where_the_disk_can_not_keep_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class FullDisk(MemoryJournal):
        def save_for_good(self, entry: Entry) -> None:
            raise Unavailable("journal_unavailable", "disk full")

    with registered(monkeypatch):
        node = LivingNode(journal=FullDisk())
        bridge, errand = "brg_00000000000000000000000001", "ern_00000000000000000000000001"
        spec = ErrandSpec(org_id="org_1", image=IMAGE, bridge=bridge, command=("sleep", "infinity"))
        items = [
            _present("bridge", bridge, SPECS["bridge"].write(BridgeSpec(org_id="org_1"))),
            _present("errand", errand, write_errand(spec)),
        ]
        async with node.running() as (runner, listener):
            runner.apply(desired(*items, whole=True))
            await node.while_time_passes(lambda: Phase.FAILED in listener.phases(errand))

    assert [each.state for each in await node.runtime.list_containers(label="spunto.id")] == [ContainerState.CREATED]


def _present(kind: str, subject_id: str, spec: dict[str, Any]) -> DesiredItem:
    return DesiredItem(kind=kind, id=subject_id, generation=1, wanted=Wanted.PRESENT, spec=spec)
