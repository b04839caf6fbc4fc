"""Terminals by the client: named, listed, entered from elsewhere, hung up, and lost."""

from collections.abc import AsyncIterator

import pytest

from spunto.client.client import SpuntoClient
from spunto.client.errors import NotNow, NotThere
from spunto.client.terminal import Exited, Output, Terminal
from spunto.client.worker_models import Worker
from spunto.testing.harness import Harness
from spunto.testing.node import SimulatedNode


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with Harness() as harness:
        yield harness


@pytest.fixture
async def node(harness: Harness) -> SimulatedNode:
    return await harness.add_node("one")


@pytest.fixture
async def client(harness: Harness) -> AsyncIterator[SpuntoClient]:
    async with harness.client() as client:
        yield client


@pytest.fixture
async def worker(harness: Harness, node: SimulatedNode, client: SpuntoClient) -> Worker:
    view = await harness.spawn(await harness.add_project())
    await harness.settle()
    return await client.workers.find(harness.organization.id, view.worker.id)


async def shown(terminal: Terminal, text: bytes) -> bytes:
    """Output up to the text, or to its end; nothing more can be read after that."""
    said = b""
    async for event in terminal.events():
        said += event.data if isinstance(event, Output) else b""
        if text in said:
            break
    return said


async def test_a_terminal_is_begun_by_one_and_finished_by_another(client: SpuntoClient, worker: Worker) -> None:
    async with client.workers.terminal(worker, cols=100, rows=30, name="build") as one:
        await one.write(b"echo begun\n")
        begun = await shown(one, b"\r\nbegun\r\n")
    [listed] = await client.workers.terminals(worker)
    async with client.workers.terminal(worker, session=listed.session) as other:
        await other.write(b"exit 3\n")
        events = [event async for event in other.events()]

    assert (listed.name, listed.cols, listed.rows) == ("build", 100, 30)
    assert b"".join(each.data for each in events if isinstance(each, Output)).startswith(begun)
    assert events[-1] == Exited(code=3)
    assert await client.workers.terminals(worker) == []


async def test_a_terminal_is_hung_up_by_its_session(client: SpuntoClient, worker: Worker) -> None:
    async with client.workers.terminal(worker) as terminal:
        assert terminal.session is not None
        await client.workers.end_terminal(worker, terminal.session)
        events = [event async for event in terminal.events()]

    assert isinstance(events[-1], Exited)
    with pytest.raises(NotThere) as refused:
        await client.workers.end_terminal(worker, terminal.session)
    assert refused.value.code == "terminal_not_found"


async def test_one_size_is_taken_for_all(client: SpuntoClient, worker: Worker) -> None:
    async with (
        client.workers.terminal(worker, cols=120, rows=40) as large,
        client.workers.terminal(worker, cols=80, rows=24, session=large.session),
    ):
        [before] = await client.workers.terminals(worker)
        await large.take_size()
        await large.write(b"stty; exit\n")
        said = await shown(large, b"40 120\r\n")

    assert (before.cols, before.rows) == (80, 24)
    assert b"40 120\r\n" in said


async def test_a_lost_terminal_is_not_waited_for(client: SpuntoClient, worker: Worker, node: SimulatedNode) -> None:
    async with client.workers.terminal(worker) as terminal:
        await node.kill_holder()
        with pytest.raises(NotThere) as lost:
            await shown(terminal, b"never")

    assert lost.value.code == "session_lost"


async def test_an_agent_of_before_opens_terminals_but_tells_of_none(
    harness: Harness, client: SpuntoClient, worker: Worker, node: SimulatedNode
) -> None:
    node.streams = [each for each in node.streams if each != "terminals"]
    node.restart_agent()
    await harness.advance(5)
    async with client.workers.terminal(worker) as terminal:
        await terminal.write(b"echo on\n")
        assert await shown(terminal, b"\r\non\r\n")
    refusals = []
    with pytest.raises(NotNow) as refused:
        await client.workers.terminals(worker)
    refusals.append(refused.value.code)
    with pytest.raises(NotNow) as refused:
        async with client.workers.terminal(worker, name="build"):
            pass
    refusals.append(refused.value.code)

    assert refusals == ["agent_too_old"] * 2
