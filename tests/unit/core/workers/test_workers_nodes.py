"""Workers on nodes that are away, drained, or being deleted."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.builders import ORG
from tests.unit.core.memory import Memory

from spunto.core.kernel.errors import Conflict, Invalid
from spunto.core.kernel.paging import PageRequest
from spunto.core.nodes.model import Node, NodeId
from spunto.core.projects.model import Project
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.workers.model import DockerState, Worker, WorkerState

S = WorkerState


async def spawned(memory: Memory) -> tuple[Node, Project, Worker]:
    """A project with one worker on one node."""
    node = await memory.add_node()
    project = await memory.add_project()
    view = await memory.workers.spawn(memory.owner, ORG, project.id)
    return node, project, view.worker


async def test_the_engine_s_word_is_unknown_while_the_node_is_away(memory: Memory) -> None:
    """Whichever process holds its connection: only the database knows that of all of them."""
    node, project, worker = await spawned(memory)
    await memory.reported(worker.id, phase=Phase.RUNNING)

    connected = await memory.workers.get(memory.owner, ORG, project.id, worker.id)
    async with memory.store() as tx:
        await tx.nodes.update(node.disconnected(epoch=node.epoch, at=memory.clock.now()))
        await tx.commit()
    away = await memory.workers.get(memory.owner, ORG, project.id, worker.id)
    listed = await memory.workers.list(memory.owner, ORG, project.id, PageRequest())

    assert (connected.docker_state, away.docker_state) == (DockerState.RUNNING, DockerState.UNKNOWN)
    assert listed.items == [away]


async def test_a_node_that_is_not_there_is_no_node(memory: Memory) -> None:
    await memory.add_node()
    project = await memory.add_project()

    with pytest.raises(Invalid) as caught:
        await memory.workers.spawn(memory.owner, ORG, project.id, node_id=NodeId("nod_x"))

    assert [each["pointer"] for each in caught.value.fields["errors"]] == ["/nodeId"]


async def test_what_was_put_on_a_node_while_its_deletion_was_asked_for_goes_with_it(memory: Memory) -> None:
    node, _, worker = await spawned(memory)
    async with memory.store() as tx:
        await tx.nodes.update((await memory.node(node.id)).being_deleted(at=memory.clock.now()))
        await tx.commit()

    await memory.reported(worker.id)
    await memory.reconciler.handle(worker.id)

    assert (await memory.assignment(worker.id)).wanted is Wanted.ABSENT
    found = await memory.worker(worker.id)
    assert found is not None
    assert found.state is S.DESTROYING


async def test_what_runs_again_by_itself_takes_its_room_on_a_node_that_takes_nothing_new(memory: Memory) -> None:
    node, project, worker = await spawned(memory)
    await memory.reported(worker.id, phase=Phase.STOPPED, container_state="exited", exit_code=0)
    await memory.nodes.drain(memory.owner, ORG, node.id)

    await memory.reported(worker.id)

    found = await memory.worker(worker.id)
    assert found is not None
    assert (found.state, (await memory.node(node.id)).assignments) == (S.READY, 1)
    assert (await memory.workers.get(memory.owner, ORG, project.id, worker.id)).worker.state is S.READY


@pytest.mark.parametrize("away", [{"connected": False}, {"draining": True}])
async def test_a_stopped_worker_starts_on_its_node_though_that_takes_nothing_new(
    memory: Memory, away: dict[str, Any]
) -> None:
    node, project, worker = await spawned(memory)
    await memory.workers.stop(memory.owner, ORG, project.id, worker.id)
    await memory.reported(worker.id, phase=Phase.STOPPED, container_state="exited")
    async with memory.store() as tx:
        await tx.nodes.update(replace(await memory.node(node.id), **away))
        await tx.commit()

    with pytest.raises(Conflict, match="No node can take the worker"):
        await memory.workers.spawn(memory.owner, ORG, project.id)
    started = await memory.workers.start(memory.owner, ORG, project.id, worker.id)

    assert (started.worker.state, (await memory.node(node.id)).assignments) == (S.STARTING, 1)
