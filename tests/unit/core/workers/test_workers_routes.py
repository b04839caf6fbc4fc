"""Routes follow their workers: in the same transaction, whatever changes the worker."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.core.builders import NODE, ORG, USER, a_worker
from tests.unit.core.memory import Memory

from spunto.core import workers
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import Phase
from spunto.core.routes.desired import RouteState, Sharing
from spunto.core.routes.model import Route, Standing
from spunto.core.workers import saving
from spunto.core.workers.model import WorkerId, WorkerState

WRITES = {"add", "update", "remove"}


def test_workers_are_written_in_one_place_alone() -> None:
    folder = Path(workers.__path__[0])

    found = {path.name for path in folder.parent.rglob("*.py") if writes_workers(ast.parse(path.read_text()))}

    assert found == {"saving.py"}


def writes_workers(module: ast.Module) -> bool:
    calls = (node.func for node in ast.walk(module) if isinstance(node, ast.Call))
    return any(
        isinstance(call, ast.Attribute)
        and call.attr in WRITES
        and isinstance(call.value, ast.Attribute)
        and call.value.attr == "workers"
        for call in calls
    )


async def test_a_route_goes_through_life_with_its_worker(memory: Memory) -> None:
    await memory.add_node()
    project = await memory.add_project()
    view = await memory.workers.spawn(memory.owner, ORG, project.id)
    worker_id, seen = view.worker.id, [await standing(memory, view.worker.id)]

    await memory.reported(worker_id)
    seen.append(await standing(memory, worker_id))
    await memory.workers.stop(memory.owner, ORG, None, worker_id)
    seen.append(await standing(memory, worker_id))
    await memory.reported(worker_id, phase=Phase.STOPPED, container_state="exited")
    seen.append(await standing(memory, worker_id))
    await memory.workers.start(memory.owner, ORG, None, worker_id)
    seen.append(await standing(memory, worker_id))
    await memory.reported(worker_id, phase=Phase.FAILED, problem=Problem(code="image_not_found", message="No."))
    seen.append(await standing(memory, worker_id))
    await memory.workers.destroy(memory.owner, ORG, None, worker_id)
    seen.append(await standing(memory, worker_id))
    await memory.gone(worker_id)
    seen.append(await standing(memory, worker_id))

    assert seen == [
        (RouteState.COMING, "spawning"),
        (RouteState.UP, "ready"),
        (RouteState.DOWN, "stopping"),
        (RouteState.DOWN, "stopped"),
        (RouteState.COMING, "starting"),
        (RouteState.DOWN, "image_not_found"),
        (RouteState.GONE, "destroying"),
        (RouteState.GONE, "destroyed"),
    ]


async def test_a_route_says_whose_it_is_and_where(memory: Memory) -> None:
    node = await memory.add_node()
    project = await memory.add_project()

    view = await memory.workers.spawn(memory.owner, ORG, project.id)

    assert await route(memory, view.worker.id) == Route(
        id=view.worker.id,
        org_id=ORG,
        owner_id=USER,
        index=1,
        standing=Standing(state=RouteState.COMING, reason="spawning", node_id=node.id),
        changed_at=memory.clock.now(),
    )


async def test_a_change_that_edges_do_not_see_leaves_the_route_alone(memory: Memory) -> None:
    await memory.add_node()
    project = await memory.add_project()
    view = await memory.workers.spawn(memory.owner, ORG, project.id)
    before = await route(memory, view.worker.id)

    await memory.workers.update(memory.owner, ORG, None, view.worker.id, name="other")

    assert await route(memory, view.worker.id) == before


async def test_sharing_outlives_stop_and_start(memory: Memory) -> None:
    await memory.add_node()
    project = await memory.add_project()
    view = await memory.workers.spawn(memory.owner, ORG, project.id)
    async with memory.store() as tx:
        found = await tx.routes.find(view.worker.id)
        assert found is not None
        await tx.routes.update(found.sharing_as(3000, Sharing.ORG, at=memory.clock.now()))
        await tx.commit()

    await memory.workers.stop(memory.owner, ORG, None, view.worker.id)

    assert (await route(memory, view.worker.id)).sharing == {3000: Sharing.ORG}


async def test_a_worker_that_a_server_of_before_made_gets_its_route_with_its_next_change(memory: Memory) -> None:
    project = await memory.add_project()
    worker = a_worker(WorkerState.SPAWNING, project_id=project.id)
    async with memory.store() as tx:
        await tx.workers.add(worker)
        await tx.commit()

    async with memory.store() as tx:
        await saving.save(tx, worker.moved(WorkerState.READY, at=memory.clock.now()), at=memory.clock.now())
        await tx.commit()

    assert (await route(memory, worker.id)).standing == Standing(state=RouteState.UP, reason="ready", node_id=NODE)


@pytest.mark.parametrize("state", list(WorkerState))
def test_every_state_has_its_route(state: WorkerState) -> None:
    worker = replace(a_worker(), state=state)

    assert saving.standing_of(worker).reason == state.value


async def route(memory: Memory, worker_id: WorkerId) -> Route:
    async with memory.store.reading() as tx:
        found = await tx.routes.find(worker_id)
    assert found is not None
    return found


async def standing(memory: Memory, worker_id: WorkerId) -> tuple[RouteState, str]:
    found = (await route(memory, worker_id)).standing
    return found.state, found.reason
