"""Whoever calls a use case is held to the rule of names, not only who comes by HTTP."""

from collections.abc import Awaitable, Callable

import pytest
from tests.unit.core.builders import ORG, an_environment
from tests.unit.core.memory import Memory

from spunto.core.access.api_keys import OwnerType
from spunto.core.access.policy import Scope
from spunto.core.kernel.errors import Invalid
from spunto.core.nodes.changes import NodeChanges

BAD = "a\u202eb"
Naming = Callable[[Memory], Awaitable[object]]


async def spawn(memory: Memory) -> object:
    project, _ = await memory.add_project(), await memory.add_node()
    return await memory.workers.spawn(memory.owner, ORG, project.id, name=BAD)


async def rename_worker(memory: Memory) -> object:
    project, _ = await memory.add_project(), await memory.add_node()
    worker = (await memory.workers.spawn(memory.owner, ORG, project.id)).worker
    return await memory.workers.update(memory.owner, ORG, project.id, worker.id, name=BAD)


async def rename_project(memory: Memory) -> object:
    project = await memory.add_project()
    return await memory.projects.update(memory.owner, ORG, project.id, {"name": BAD})


async def rename_node(memory: Memory) -> object:
    node = await memory.add_node()
    return await memory.nodes.update(memory.owner, ORG, node.id, NodeChanges(name=BAD))


async def make_key(memory: Memory) -> object:
    scopes = frozenset({Scope.WORKERS_READ})
    return await memory.api_keys.create(memory.owner, ORG, name=BAD, owner_type=OwnerType.USER, scopes=scopes)


@pytest.mark.parametrize(
    "naming",
    [
        spawn,
        rename_worker,
        lambda memory: memory.projects.create(memory.owner, ORG, name=BAD, environment=an_environment()),
        rename_project,
        lambda memory: memory.nodes.create(memory.owner, ORG, name=BAD),
        rename_node,
        lambda memory: memory.organizations.create(memory.owner, name=BAD),
        lambda memory: memory.organizations.update(memory.owner, ORG, name=BAD),
        lambda memory: memory.organizations.update(memory.owner, ORG, name=""),
        lambda memory: memory.users.update(memory.owner, {"name": BAD}),
        make_key,
    ],
)
async def test_what_is_no_name_is_refused_everywhere(memory: Memory, naming: Naming) -> None:
    with pytest.raises(Invalid) as caught:
        await naming(memory)

    assert caught.value.code == "name_invalid"
