"""Projects: every change of the environment is a version that stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import ORG, OTHER_ORG, OTHER_USER, a_project, an_actor, an_environment, later
from tests.unit.core.memory import Memory

from spunto.core.kernel.errors import Conflict, Invalid, NotFound
from spunto.core.kernel.idempotency import IdempotencyKey
from spunto.core.projects.model import Environment, ProjectId

KEY = IdempotencyKey(key="k", fingerprint=b"1")
environments = st.builds(Environment, image=st.sampled_from("ab"), env=st.dictionaries(st.just("A"), st.text()))


@given(st.lists(environments))
def test_numbers_grow_with_changes_and_with_nothing_else(wanted: list[Environment]) -> None:
    project = a_project()
    changes = 0

    for environment in wanted:
        changes += environment != project.environment
        project = project.with_environment(environment, at=later(1))

    assert project.number == 1 + changes


async def numbers(memory: Memory, project_id: ProjectId) -> list[tuple[int, str, int | None]]:
    page = await memory.projects.versions(memory.owner, ORG, project_id, limit=50, before=None)
    return [(each.number, each.environment.image, each.restored_from) for each in page.items]


async def test_a_change_of_the_environment_makes_a_version_and_a_change_of_the_name_none(memory: Memory) -> None:
    project = await memory.add_project()

    await memory.projects.update(memory.owner, ORG, project.id, {"name": "other"})
    changed = await memory.projects.update(memory.owner, ORG, project.id, {"image": "img:2"})

    assert (changed.name, changed.number, changed.environment.image) == ("other", 2, "img:2")
    assert await numbers(memory, project.id) == [(2, "img:2", None), (1, "img", None)]


async def test_restoring_makes_a_new_version_of_the_old_environment(memory: Memory) -> None:
    project = await memory.add_project()
    await memory.projects.update(memory.owner, ORG, project.id, {"image": "img:2"})

    restored = await memory.projects.restore(memory.owner, ORG, project.id, 1)

    assert (restored.number, restored.environment) == (3, an_environment())
    assert await numbers(memory, project.id) == [(3, "img", 1), (2, "img:2", None), (1, "img", None)]
    with pytest.raises(NotFound) as caught:
        await memory.projects.restore(memory.owner, ORG, project.id, 9)
    assert caught.value.code == "project_version_not_found"


@pytest.mark.parametrize(
    ("change", "env"),
    [
        ({"env": {}}, {"A": "1", "B": "2"}),
        ({"env": {"B": None, "C": "3"}}, {"A": "1", "C": "3"}),
        ({"env": {"Z": None}}, {"A": "1", "B": "2"}),
        ({"env": None}, {}),
    ],
)
async def test_mappings_are_merged(memory: Memory, change: dict[str, object], env: dict[str, str]) -> None:
    project = await memory.add_project(env={"A": "1", "B": "2"})

    changed = await memory.projects.update(memory.owner, ORG, project.id, change)

    assert changed.environment.env == env


async def test_two_changes_at_once_are_both_made(memory: Memory) -> None:
    project = await memory.add_project()

    async def be_faster() -> None:
        await memory.projects.update(memory.owner, ORG, project.id, {"image": "img:2"})

    memory.racing.interference.append(be_faster)
    changed = await memory.projects.update(memory.owner, ORG, project.id, {"env": {"A": "1"}})

    assert (changed.number, changed.environment) == (3, an_environment(image="img:2", env={"A": "1"}))


async def test_a_repeated_request_makes_one_project(memory: Memory) -> None:
    environment = an_environment()
    first = await memory.projects.create(memory.owner, ORG, name="a", environment=environment, idempotency=KEY)

    again = await memory.projects.create(memory.owner, ORG, name="a", environment=environment, idempotency=KEY)

    assert again == first
    with pytest.raises(Invalid):
        await memory.projects.create(
            memory.owner, ORG, name="b", environment=environment, idempotency=IdempotencyKey(key="k", fingerprint=b"2")
        )


async def test_a_name_is_given_once_in_an_organization(memory: Memory) -> None:
    await memory.add_project("one")
    other = await memory.add_project("other")

    for attempt in (
        memory.projects.create(memory.owner, ORG, name="one", environment=an_environment()),
        memory.projects.update(memory.owner, ORG, other.id, {"name": "one"}),
    ):
        with pytest.raises(Conflict) as caught:
            await attempt
        assert caught.value.code == "project_name_taken"


async def test_a_project_with_workers_stays(memory: Memory) -> None:
    await memory.add_node()
    project = await memory.add_project()
    await memory.workers.spawn(memory.owner, ORG, project.id)

    with pytest.raises(Conflict) as caught:
        await memory.projects.delete(memory.owner, ORG, project.id)

    assert caught.value.code == "project_in_use"


async def test_a_removed_project_is_gone_with_its_name_free(memory: Memory) -> None:
    project = await memory.add_project()

    await memory.projects.delete(memory.owner, ORG, project.id)

    with pytest.raises(NotFound):
        await memory.projects.get(memory.owner, ORG, project.id)
    assert (await memory.add_project()).id != project.id


async def test_a_project_of_another_organization_is_not_there(memory: Memory) -> None:
    project = await memory.add_project()
    stranger = an_actor(user_id=OTHER_USER, roles={OTHER_ORG: memory.owner.roles[ORG]})

    with pytest.raises(NotFound) as caught:
        await memory.projects.update(stranger, OTHER_ORG, project.id, {"name": "mine"})

    assert caught.value.code == "project_not_found"
