"""Whoever calls a use case is held to the bounds of tags and metadata, not only who comes by HTTP."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.unit.core.builders import ORG, an_environment
from tests.unit.core.memory import Memory

from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.marks import require_marks
from spunto.core.nodes.changes import NodeChanges

Marking = Callable[..., Awaitable[object]]


async def spawn(memory: Memory, **marks: Any) -> object:
    project, _ = await memory.add_project(), await memory.add_node()
    return await memory.workers.spawn(memory.owner, ORG, project.id, **marks)


async def mark_worker(memory: Memory, **marks: Any) -> object:
    project, _ = await memory.add_project(), await memory.add_node()
    worker = (await memory.workers.spawn(memory.owner, ORG, project.id)).worker
    return await memory.workers.update(memory.owner, ORG, project.id, worker.id, **marks)


async def make_project(memory: Memory, **marks: Any) -> object:
    return await memory.projects.create(memory.owner, ORG, name="p", environment=an_environment(), **marks)


async def mark_project(memory: Memory, **marks: Any) -> object:
    return await memory.projects.update(memory.owner, ORG, (await memory.add_project()).id, marks)


async def make_node(memory: Memory, **marks: Any) -> object:
    return await memory.nodes.create(memory.owner, ORG, name="n", **marks)


async def mark_node(memory: Memory, **marks: Any) -> object:
    return await memory.nodes.update(memory.owner, ORG, (await memory.add_node()).id, NodeChanges(**marks))


@pytest.mark.parametrize("marking", [spawn, mark_worker, make_project, mark_project, make_node, mark_node])
@pytest.mark.parametrize(
    ("marks", "code"),
    [
        # Which would be two tags to the database.
        ({"tags": ("a\nb",)}, "tags_invalid"),
        ({"metadata": {"x": "y" * 17_000}}, "metadata_invalid"),
    ],
)
async def test_what_is_too_much_is_refused_everywhere(
    memory: Memory, marking: Marking, marks: dict[str, Any], code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await marking(memory, **marks)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("tags", "metadata", "code"),
    [
        ([""], {}, "tags_invalid"),
        (["a b"], {}, "tags_invalid"),
        (["a\n"], {}, "tags_invalid"),
        (["a" * 65], {}, "tags_invalid"),
        (["a"] * 33, {}, "tags_invalid"),
        ([], {str(number): 0 for number in range(65)}, "metadata_invalid"),
        ([], {"x": object()}, "metadata_invalid"),
        ([], {"x": math.nan}, "metadata_invalid"),
        ([], {1: "x"}, "metadata_invalid"),
        ([], {"x": "\ud800"}, "metadata_invalid"),
    ],
)
def test_what_can_not_be_kept_is_refused(tags: list[str], metadata: dict[Any, Any], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        require_marks(tags, metadata)

    assert caught.value.code == code


def test_what_is_just_not_too_much_is_taken() -> None:
    require_marks([*(f"team=a/{number}" for number in range(31)), "a" * 64], {"x": "y" * (16 * 1024 - 8)})
    require_marks(None, None)
