"""Workers stopped and destroyed at the command line by what they have in common."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import typer

from spunto.client.client import SpuntoClient
from spunto.client.worker_models import Worker
from spunto.entrypoints.cli.matching import Matching, Verb, destroying_by, each_matching, stopping_by
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.session import Session
from spunto.testing.harness import Harness

NOTHING = Matching(project=None, state=None, tag=None, node=None, every=False)
CI = Matching(project=None, state=None, tag="ci", node=None, every=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with Harness() as harness:
        await harness.add_node("one", cpus=32)
        yield harness


@pytest.fixture
async def client(harness: Harness) -> AsyncIterator[SpuntoClient]:
    async with harness.client() as client:
        yield client


async def workers(harness: Harness, client: SpuntoClient) -> dict[str, Worker]:
    """`a` and `b` with the tag, `c` without."""
    project = await harness.add_project()
    made = {
        name: await client.workers.spawn(project.org_id, project.id, name=name, tags=["ci"] * (name != "c"))
        for name in ("a", "b", "c")
    }
    await harness.settle()
    return made


async def done(
    client: SpuntoClient, matching: Matching, verb: Verb, *, yes: bool = True, no_wait: bool = False, json: bool = False
) -> int:
    session = Session(client=client, out=Output(as_json=json), org=None)
    return await each_matching(session, matching, verb, yes=yes, no_wait=no_wait, timeout_seconds=60)


async def states(client: SpuntoClient, made: dict[str, Worker]) -> list[str]:
    return [(await client.workers.get(each)).state for each in made.values()]


async def test_those_that_fit_are_stopped_and_told_of_when_they_have(
    harness: Harness, client: SpuntoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await workers(harness, client)
    capsys.readouterr()

    code = await harness.finish(done(client, CI, stopping_by(client.workers)))

    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if "wkr_" in line and "info" not in line]
    assert (code, rows) == (0, [["b", "stopped"], ["a", "stopped"]])
    assert await states(client, made) == ["stopped", "stopped", "ready"]


async def test_all_are_destroyed_where_all_is_said(harness: Harness, client: SpuntoClient) -> None:
    await workers(harness, client)
    every = Matching(project=None, state=None, tag=None, node=None, every=True)

    code = await harness.finish(done(client, every, destroying_by(client.workers)))

    assert code == 0
    assert [each async for each in client.workers.iter_all(harness.organization.id)] == []


async def test_project_node_and_state_are_said_as_people_say_them(harness: Harness, client: SpuntoClient) -> None:
    made = await workers(harness, client)
    told = Matching(project="hello", state="ready", tag=None, node="one", every=False)
    session = Session(client=client, out=Output(as_json=False), org=None)

    assert await told.filters(session) == {
        "projectId": made["a"].project_id,
        "nodeId": made["a"].node_id,
        "state": "ready",
    }


async def test_what_is_refused_is_told_and_the_others_go_on(
    harness: Harness, client: SpuntoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await workers(harness, client)
    bob = await harness.add_person("bob")
    async with harness.client(bob.token) as bobs:
        project = next(iter([each async for each in client.projects.iter_projects(harness.organization.id)]))
        await bobs.workers.spawn(project.org_id, project.id, name="d", tags=["ci"])
        await harness.settle()
        capsys.readouterr()

        code = await harness.finish(done(bobs, CI, stopping_by(bobs.workers), json=True))

    out = capsys.readouterr().out
    told = json.loads(out[out.index('{"items"') :].splitlines()[0])["items"]
    assert [(each["name"], each["state"], each.get("error", {}).get("code")) for each in told] == [
        ("d", "stopped", None),
        ("b", "ready", "not_owner"),
        ("a", "ready", "not_owner"),
    ]
    assert code == 5


@pytest.mark.parametrize(("answer", "stopped"), [("y\n", True), ("n\n", False), ("\n", False)])
async def test_a_person_is_asked_with_the_names(
    harness: Harness,
    client: SpuntoClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    stopped: bool,
) -> None:
    made = await workers(harness, client)
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    try:
        await done(client, CI, stopping_by(client.workers), yes=False, no_wait=True)
    except typer.Abort:
        assert not stopped

    assert "Stop 2 workers (b, a)?" in capsys.readouterr().err
    await harness.settle()
    assert await states(client, made) == [*["stopped" if stopped else "ready"] * 2, "ready"]


async def test_nothing_happens_unasked_where_nobody_can_be_asked(
    harness: Harness, client: SpuntoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await workers(harness, client)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    with pytest.raises(typer.BadParameter, match="--yes"):
        await done(client, CI, destroying_by(client.workers), yes=False)

    assert await states(client, made) == ["ready"] * 3


async def test_where_none_fits_none_is_asked_for(
    harness: Harness, client: SpuntoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await done(client, CI, destroying_by(client.workers), yes=False) == 0
    assert "No worker fits." in capsys.readouterr().err


async def test_each_is_told_of_also_where_one_is_late(
    harness: Harness, client: SpuntoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await workers(harness, client)

    async def wait(worker: Worker) -> str:
        if worker.id == made["b"].id:
            await asyncio.Event().wait()
        return "stopped"

    session = Session(client=client, out=Output(as_json=True), org=None)
    verb = replace(stopping_by(client.workers), wait=wait)
    capsys.readouterr()

    code = await each_matching(session, CI, verb, yes=True, no_wait=False, timeout_seconds=0.05)

    out = capsys.readouterr().out
    told = json.loads(out[out.index('{"items"') :].splitlines()[0])["items"]
    assert [(each["name"], each["state"], each.get("error", {}).get("code")) for each in told] == [
        ("b", "stopping", "waited_too_long"),
        ("a", "stopped", None),
    ]
    assert code == 124


@pytest.mark.parametrize(
    ("worker", "matching"),
    [(None, NOTHING), ("a", CI), (None, Matching(project=None, state=None, tag="ci", node=None, every=True))],
)
def test_either_a_worker_or_a_filter_is_said(worker: str | None, matching: Matching) -> None:
    with pytest.raises(typer.BadParameter):
        matching.require_either(worker)


def test_one_of_both_will_do() -> None:
    NOTHING.require_either("a")
    CI.require_either(None)
