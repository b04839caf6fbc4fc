"""Ports at the command line: which one is opened, who reaches them, and when a worker stops by itself."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import typer

from spunto.client.worker_models import Worker
from spunto.core.executor.port_connection import PortConnection
from spunto.core.kernel.errors import Conflict, Invalid, NotFound
from spunto.entrypoints.cli import ports, projects, workers
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.ports import With
from spunto.entrypoints.cli.session import Session
from spunto.testing.harness import Harness


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with Harness() as harness:
        await harness.add_node("one")
        yield harness


@pytest.fixture
async def session(harness: Harness) -> AsyncIterator[Session]:
    async with harness.client() as client:
        yield Session(client=client, out=Output(as_json=False), org=None)


@pytest.fixture
async def fox(harness: Harness, session: Session) -> Worker:
    spawned = await harness.spawn(await harness.add_project(), name="fox")
    await harness.settle()
    return await session.worker(spawned.worker.id)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], fox: Worker) -> "Said":
    capsys.readouterr()
    return Said(capsys)


class Said:
    """What commands print, without what servers log."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def lines(self) -> list[str]:
        lines = self._capsys.readouterr().out.splitlines()
        return [line for line in lines if " [info " not in line and " [debug " not in line]


async def silent(_: PortConnection) -> None: ...


def listens(harness: Harness, worker: Worker, *numbers: int) -> None:
    for number in numbers:
        harness.nodes["one"].serve_port(worker.id, number, silent, process="node")


async def test_without_a_port_the_one_that_listens_is_opened(
    harness: Harness, session: Session, fox: Worker, said: Said
) -> None:
    with pytest.raises(Conflict, match="Nothing listens in fox yet") as nobody:
        await ports.open_port(session, "fox")
    listens(harness, fox, 3000)
    await ports.open_port(session, "fox")
    listens(harness, fox, 5173)
    with pytest.raises(Invalid, match=r"Say which port of fox: 3000 \(node\), 5173 \(node\)") as several:
        await ports.open_port(session, "fox")
    await ports.open_port(session, "fox", 4000)
    listens(harness, fox, 8080)
    await ports.open_port(session, "fox")

    assert (nobody.value.code, several.value.code) == ("nobody_listens", "port_not_named")
    assert fox.urls is not None
    assert said.lines() == [fox.urls.of_port(3000), fox.urls.of_port(4000), fox.urls.code]


async def test_what_is_shared_is_listed_and_taken_back_also_while_the_worker_is_stopped(
    harness: Harness, session: Session, fox: Worker, said: Said
) -> None:
    await ports.share(session, "fox")
    await ports.share(session, "fox", 3000, With.ORG)
    await ports.share(session, "fox", 4000, link=True, seconds=7200)
    await workers.stop(session, "fox", no_wait=True)
    await harness.settle()
    said.lines()

    await ports.share(session, "fox")
    table = [line.split() for line in said.lines()]
    session.out = Output(as_json=True)
    await ports.share(session, "fox")
    [told] = [json.loads(line)["items"] for line in said.lines()]
    session.out = Output(as_json=False)
    [link] = told[1]["links"]
    with pytest.raises(NotFound):
        await ports.share(session, "fox", 3000, revoke=link["id"])
    await ports.share(session, "fox", revoke=link["id"])
    await ports.share(session, "fox", 3000, With.OWNER)
    left = await session.client.port_sharing.opened(fox)

    assert table[0] == ["PORT", "WHO", "UNTIL", "LINK", "URL"]
    assert table[1][:2] == ["3000", "org"]
    assert table[2][:5] == ["4000", "whoever", "has", "the", "link"]
    assert table[2][7] == link["id"]
    assert [(each["port"], each["sharing"], len(each["links"])) for each in told] == [
        (3000, "org", 0),
        (4000, "owner", 1),
    ]
    assert said.lines()[0] == f"The link {link['id']} to port 4000 has ended."
    assert left == []


async def test_who_shares_a_port_with_nobody_hears_of_the_links_that_still_lead_there(
    session: Session, fox: Worker, capsys: pytest.CaptureFixture[str]
) -> None:
    for port in (3000, 3000, 4000):
        await ports.share(session, "fox", port, link=True)
    both = [link.id for link in await session.client.port_sharing.links(fox, 3000)]
    [one] = await session.client.port_sharing.links(fox, 4000)
    capsys.readouterr()

    for port in (3000, 4000, 5000):
        await ports.share(session, "fox", port, With.OWNER)

    assert capsys.readouterr().err.splitlines() == [
        f"2 links still lead here; take them back by --revoke {both[0]}, --revoke {both[1]}",
        f"1 link still leads here; take it back by --revoke {one.id}",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"whom": With.ORG}, "Say which port."),
        ({"link": True}, "Say which port."),
        ({"port": 3000, "whom": With.ORG, "link": True}, "Say one of owner, org or public, --link and --revoke LINK."),
        ({"port": 3000, "link": True, "revoke": "x"}, "Say one of owner, org or public, --link and --revoke LINK."),
        ({"port": 3000, "whom": With.ORG, "seconds": 60}, "Only a --link has an end."),
    ],
)
async def test_what_makes_no_sense_is_told_before_anything_is_asked(
    session: Session, arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(typer.BadParameter, match=f"^{sentence}"):
        await ports.share(session, "nobody", **arguments)


async def test_how_long_a_worker_is_kept_is_shown_until_it_is_stopped(
    harness: Harness, session: Session, fox: Worker, said: Said
) -> None:
    await ports.idle_timeout(session, "fox", 1800)
    await ports.keep_alive(session, "fox", 7200)
    await ports.keep_alive(session, "fox", 0)
    kept = said.lines()
    await workers.stop(session, "fox", no_wait=True)
    await harness.settle()
    await workers.start(session, "fox", no_wait=True)
    await harness.settle()
    said.lines()
    await workers.show(session, "fox")
    anew = said.lines()
    await ports.keep_alive(session, "fox", 0)

    until = harness.clock.now() + timedelta(hours=2)
    shown = [line for line in kept if line.startswith("kept until:")]
    assert [line.split(maxsplit=2)[2] for line in shown] == [f"{until:%Y-%m-%d %H:%M:%S}Z"] * 2
    assert any(line.startswith("last used:") and line.endswith("by keep-alive") for line in kept)
    assert [line for line in (*anew, *said.lines()) if line.startswith("kept until:")] == []


async def test_an_idle_timeout_is_set_shown_and_taken_away(session: Session, fox: Worker, said: Said) -> None:
    await ports.idle_timeout(session, "fox", 5400)
    await workers.show(session, "fox")
    await ports.idle_timeout(session, "fox", 0)

    lines = said.lines()
    assert lines[0] == "Worker fox is stopped after 90m without use."
    assert [line.split()[2:] for line in lines if line.startswith("idle timeout:")] == [["90m"]]
    assert lines[-1] == "Worker fox is not stopped by idleness any more."


async def test_a_project_says_what_its_workers_share_and_when_they_stop(session: Session, said: Said) -> None:
    await projects.create(session, "web", share=[3000, 4000], idle_timeout=1800)
    await projects.update(session, "web", share=[5000], unshare=[3000], idle_timeout=0)
    await projects.show(session, "web")
    found = await session.project("web")

    assert (dict(found.sharing), found.idle_timeout_seconds) == ({"4000": "org", "5000": "org"}, None)
    assert [line.split()[1:] for line in said.lines() if line.startswith("shared:")] == [["4000=org,", "5000=org"]]
