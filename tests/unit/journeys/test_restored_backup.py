"""A database restored from an older copy while nodes went on: nothing that runs is lost, nothing comes back."""

import copy
from typing import Any

import pytest
from tests.unit.journeys.steps import a_ready_worker, is_clean, running

from spunto.core.activity.events import EventType
from spunto.core.nodes.inventory import Standing
from spunto.core.workers.model import WorkerState
from spunto.testing.harness import Harness
from spunto.testing.node import SimulatedNode

S = WorkerState
RELIST_SECONDS = 30.0


class Backup:
    """A copy of everything in the store, as it was then."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._store: Any = harness.spunto._store._store  # beneath what a test can break
        self._tables = copy.deepcopy(self._store._tables)

    async def restore(self, *nodes: SimulatedNode) -> None:
        """The server is away for a moment, and when it is back it knows what it knew then."""
        for node in nodes:
            node.disconnect()
        await self._harness.settle()
        self._store._tables = self._tables
        for node in nodes:
            await node.reconnect()
        await self._harness.advance(RELIST_SECONDS + 5)

    async def told(self) -> list[tuple[EventType, str]]:
        async with self._store.reading() as tx:
            events = await tx.events.after(self._harness.organization.id, 0, limit=1000)
        return [(each.type, each.data["outcome"]) for each in events if each.type is EventType.NODE_RAN_AHEAD]


async def test_what_is_wanted_now_outdoes_what_the_node_was_asked_for_later(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    backup = Backup(harness)
    await worker.stop()
    await harness.advance(60)
    await worker.start()
    await harness.advance(60)
    await worker.stop()
    await harness.advance(60)
    assert running(node) == []

    await backup.restore(node)

    assert await worker.state() is S.READY
    assert running(node) == [worker.container]
    assert await backup.told() == [(EventType.NODE_RAN_AHEAD, "outdone")]
    # And from here on everything goes its way again.
    await worker.stop()
    await harness.advance(60)
    assert (await worker.state(), running(node)) == (S.STOPPED, [])
    await worker.destroy()
    await harness.advance(60)
    assert await worker.is_gone()
    assert is_clean(node)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_worker_that_was_destroyed_after_the_backup_is_not_made_again(
    harness: Harness, restarted: bool
) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    backup = Backup(harness)
    await worker.destroy()
    await harness.advance(60)
    assert await worker.is_gone()
    if restarted:
        node.restart_agent()

    await backup.restore(node)

    assert is_clean(node)
    assert await worker.is_gone()
    assert await backup.told() == [(EventType.NODE_RAN_AHEAD, "believed")]


async def test_what_was_destroyed_after_the_backup_is_not_made_again_with_nothing_in_it(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    backup = Backup(harness)
    await worker.destroy()
    await harness.advance(60)
    assert await worker.is_gone()

    await backup.restore(node)
    await harness.advance(60)

    assert await worker.is_gone()
    assert is_clean(node)
    assert await backup.told() == [(EventType.NODE_RAN_AHEAD, "believed")]


async def test_what_was_made_after_the_backup_is_left_standing_and_shown(harness: Harness) -> None:
    node = await harness.add_node("one")
    backup = Backup(harness)
    worker = await a_ready_worker(harness)

    await backup.restore(node)

    inventory = await harness.spunto.nodes.inventory(harness.owner, harness.organization.id, node.id)
    assert {each.item.name: each.known for each in inventory.items} == {worker.container: Standing.QUARANTINED}
    assert running(node) == [worker.container]


@pytest.mark.parametrize("was", ["ready", "stopped"])
async def test_a_restored_copy_of_today_changes_nothing(harness: Harness, was: str) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    if was == "stopped":
        await worker.stop()
        await harness.advance(60)
    before = (await worker.state(), running(node))

    backup = Backup(harness)
    await harness.advance(60)
    await backup.restore(node)

    assert (await worker.state(), running(node)) == before
    assert await backup.told() == []
