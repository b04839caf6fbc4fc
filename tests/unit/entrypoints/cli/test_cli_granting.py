"""What a spawn does about secrets that may not enter yet: as an option or somebody at the terminal says."""

import io
from collections.abc import AsyncIterator
from functools import partial

import pytest

from spunto.client.client import SpuntoClient
from spunto.client.errors import StateConflict
from spunto.client.worker_models import Worker
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.secret import Secret
from spunto.core.projects.model import Environment, Project
from spunto.entrypoints.cli.granting import Grant, granted
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.session import Session
from spunto.testing.harness import Harness
from spunto.testing.node import DEFAULT_IMAGE


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with Harness() as harness:
        yield harness


@pytest.fixture
async def client(harness: Harness) -> AsyncIterator[SpuntoClient]:
    await harness.add_node("one", cpus=16)
    async with harness.client() as client:
        yield client


async def a_project_of_somebody_else(harness: Harness, *secrets: str) -> Project:
    org_id = harness.organization.id
    other = await harness.add_person("bob")
    environment = Environment(image=DEFAULT_IMAGE, secrets=secrets)
    return await harness.spunto.projects.create(other.actor, org_id, name="theirs", environment=environment)


async def asked(client: SpuntoClient, project: Project, grant: Grant) -> Worker:
    session = Session(client=client, out=Output(as_json=False), org=None)
    ask = partial(client.workers.spawn, project.org_id, project.id)
    return await granted(session, ask, grant=grant, project_id=project.id)


async def got(harness: Harness, worker: Worker) -> list[str]:
    """The names that the worker was spawned with."""
    async with harness.spunto._store.reading() as tx:
        assignment = await tx.assignments.find(worker.id)
    return list(assignment.spec.secret_names)


async def test_without_a_terminal_nobody_is_asked(harness: Harness, client: SpuntoClient) -> None:
    await client.users.put_secret("TOKEN", Secret("x"))
    project = await a_project_of_somebody_else(harness, "TOKEN")

    with pytest.raises(StateConflict) as caught:
        await asked(client, project, Grant.ASK)

    assert caught.value.code == "grant_needed"
    assert caught.value.detail.endswith("; say --secrets once, always or without.")


@pytest.mark.parametrize(
    ("grant", "names", "projects"),
    [(Grant.ONCE, ["TOKEN"], "own"), (Grant.WITHOUT, [], "own"), (Grant.ALWAYS, ["TOKEN"], None)],
)
async def test_an_option_says_it_beforehand(
    harness: Harness, client: SpuntoClient, grant: Grant, names: list[str], projects: str | None
) -> None:
    await client.users.put_secret("TOKEN", Secret("x"))
    project = await a_project_of_somebody_else(harness, "TOKEN")

    worker = await asked(client, project, grant)

    assert await got(harness, worker) == names
    [secret] = [each async for each in client.users.iter_secrets()]
    assert secret.projects == (("own", project.id) if projects is None else projects)


@pytest.mark.parametrize(
    ("answer", "names"), [("once\n", ["TOKEN"]), ("\n", ["TOKEN"]), ("always\n", ["TOKEN"]), ("without\n", [])]
)
async def test_a_person_at_a_terminal_is_asked(
    harness: Harness, client: SpuntoClient, monkeypatch: pytest.MonkeyPatch, answer: str, names: list[str]
) -> None:
    await client.users.put_secret("TOKEN", Secret("x"))
    project = await a_project_of_somebody_else(harness, "TOKEN", "MISSING")
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    worker = await asked(client, project, Grant.ASK)

    assert await got(harness, worker) == names


async def test_another_answer_changes_nothing(
    harness: Harness, client: SpuntoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await a_project_of_somebody_else(harness, "TOKEN")
    monkeypatch.setattr("sys.stdin", Terminal("perhaps\n"))

    with pytest.raises(StateConflict):
        await asked(client, project, Grant.ASK)


async def test_a_secret_that_is_not_there_can_not_be_let_in(harness: Harness, client: SpuntoClient) -> None:
    project = await a_project_of_somebody_else(harness, "TOKEN")

    with pytest.raises(Invalid) as caught:
        await asked(client, project, Grant.ONCE)

    assert caught.value.message == "You have no secret TOKEN: run `spunto secret set TOKEN`, or say --secrets without."
