"""What the command line finds with a key that has no more scopes than the command itself takes."""

import json
from collections.abc import AsyncIterator

import pytest

from spunto.client.errors import NotAllowed, NotThere
from spunto.core.access.policy import Scope
from spunto.core.kernel.errors import Invalid, NotFound
from spunto.core.projects.model import Project
from spunto.entrypoints.cli import workers
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.session import Session
from spunto.testing.harness import Harness


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with Harness() as harness:
        await harness.add_node("one")
        yield harness


@pytest.fixture
async def project(harness: Harness) -> Project:
    return await harness.add_project()


@pytest.fixture
async def session(harness: Harness) -> AsyncIterator[Session]:
    """Of a key that may do with workers whatever a key may, and nothing else."""
    token = await harness.add_key(Scope.WORKERS_WRITE, Scope.WORKERS_EXEC)
    async with harness.client(token) as client:
        yield Session(client=client, out=Output(as_json=False), org=None)


async def test_a_worker_is_found_without_a_look_at_projects(
    harness: Harness, project: Project, session: Session
) -> None:
    worker = (await harness.spawn(project)).worker

    assert [(await session.worker(wanted)).id for wanted in (worker.id, worker.name)] == [worker.id] * 2
    with pytest.raises(NotAllowed):
        await session.worker(f"{project.name}/{worker.name}")
    with pytest.raises(NotFound):
        await session.worker("a\nb")
    with pytest.raises(NotThere):
        await session.worker("wkr_00000000000000000000000000")


async def test_those_of_one_name_are_told_apart_by_their_projects(
    harness: Harness, project: Project, session: Session
) -> None:
    others = await harness.add_project("other")
    for each in (project, others):
        await harness.spawn(each, name="fox")

    with pytest.raises(Invalid, match=f"{project.id}/fox"):
        await session.worker("fox")
    async with harness.client() as owner:
        whole = Session(client=owner, out=Output(as_json=False), org=None)
        with pytest.raises(Invalid, match="hello/fox, other/fox"):
            await whole.worker("fox")
        assert (await whole.worker("other/fox")).project_id == others.id


async def test_ids_of_what_may_not_be_read_are_taken_as_they_are(
    harness: Harness, project: Project, session: Session
) -> None:
    node_id = (await harness.spawn(project)).worker.node_id

    assert (await session.project_id(project.id), await session.node_id(node_id)) == (project.id, node_id)
    with pytest.raises(NotAllowed):
        await session.project_id(project.name)
    async with harness.client() as owner:
        with pytest.raises(NotFound):
            await Session(client=owner, out=Output(as_json=False), org=None).project_id(
                "prj_00000000000000000000000000"
            )


async def test_workers_are_listed_with_their_project_s_id_where_its_name_may_not_be_read(
    harness: Harness, project: Project, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = (await harness.spawn(project)).worker
    capsys.readouterr()

    await workers.list_all(session)
    session.out = Output(as_json=True)
    await workers.list_all(session)

    said = capsys.readouterr().out
    assert [line.split()[:2] for line in said.splitlines() if line.startswith(worker.name)] == [
        [worker.name, project.id]
    ]
    told = json.loads(next(line for line in said.splitlines() if line.startswith('{"items"')))
    assert [each["id"] for each in told["items"]] == [worker.id]
