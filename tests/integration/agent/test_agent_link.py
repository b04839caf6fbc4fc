"""The agent's link over a real WebSocket, with the engine in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from tests.integration.agent.socket_server import SocketServer, socket_server
from tests.unit.core.executor.node_values import IMAGE, NODE, WORKER, a_desired_item, node_settings
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.journal import MemoryJournal
from spunto.core.executor.runner import NodeRunner
from spunto.core.executor.streams.serving import NodeStreams
from spunto.core.executor.uplink import Uplink
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.log import silent
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.model import NodeId
from spunto.core.protocol import closing
from spunto.core.protocol.messages import Phase
from spunto_agent.link import Link, advice_for
from spunto_agent.transport import Refused, dial


@asynccontextmanager
async def linked(server: SocketServer, *, token: str | None = None) -> AsyncIterator["asyncio.Task[object]"]:
    """An agent in this process that dials the server without waiting between its tries."""
    clock = SystemClock()
    runtime = FakeRuntime(images=[IMAGE])
    runner = NodeRunner(runtime, journal=MemoryJournal(), clock=clock, settings=node_settings())
    streams = NodeStreams(runtime, clock=clock, standing=runner.standing, inventory=runner.inventory)
    uplink = Uplink(runner, clock=clock, on_stream=streams.handle, log=silent)
    link = Link(
        server.url,
        Secret(token or server.token),
        uplink=uplink,
        runner=runner,
        clock=clock,
        log=silent,
        jitter=lambda: 0.0,
    )
    working = [asyncio.ensure_future(runner.run()), asyncio.ensure_future(streams.run())]
    await runner.engine_answered()
    linking = asyncio.ensure_future(link.run())
    try:
        yield linking
    finally:
        for task in (linking, *working):
            task.cancel()
        await asyncio.wait([linking, *working])


async def test_the_node_says_hello_and_does_what_is_wanted() -> None:
    async with socket_server(NodeId(NODE)) as server, linked(server):
        await server.send(a_desired_item(), whole=True)
        running = await server.until_phase(WORKER, Phase.RUNNING, 1)
        await server.until(lambda: server.inventories)

    (hello,) = server.hellos
    assert (hello.engine.name, hello.engine.error, hello.resources.max_worker_cpu_millis) == ("fake", None, 8000)
    assert running.container_state == "running"


@pytest.mark.parametrize("code", [closing.RESTARTING, 1001])
async def test_the_agent_comes_back_and_tells_everything_again(code: int) -> None:
    async with socket_server(NodeId(NODE)) as server, linked(server):
        await server.send(a_desired_item(), whole=True)
        await server.until_phase(WORKER, Phase.RUNNING, 1)
        assert server.connection is not None
        server.observed.clear()
        server.connection.close(code, "bye")
        await server.until_connected(2)
        await server.until_phase(WORKER, Phase.RUNNING, 1)


@pytest.mark.parametrize("code", [closing.UNAUTHENTICATED, closing.FORBIDDEN])
async def test_an_agent_that_is_turned_away_stops_and_says_what_to_do(code: int) -> None:
    async with socket_server(NodeId(NODE)) as server:
        server.refuse_with = code
        async with linked(server) as linking, asyncio.timeout(10):
            closed = await linking

    assert closed.code == code  # type: ignore[attr-defined]
    assert "token" in advice_for(closed)  # type: ignore[arg-type]


async def test_a_token_that_is_not_good_is_turned_away() -> None:
    async with socket_server(NodeId(NODE)) as server, linked(server, token="wrong") as linking, asyncio.timeout(10):
        closed = await linking

    assert closed.code == closing.UNAUTHENTICATED  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "code", "retry_after_seconds"),
    [
        (HTTPStatus.UNAUTHORIZED, closing.UNAUTHENTICATED, None),
        (HTTPStatus.SERVICE_UNAVAILABLE, 1006, 7.0),
        (HTTPStatus.FOUND, 1006, 7.0),
    ],
)
async def test_an_answer_that_is_no_upgrade_is_taken_at_its_word(
    status: HTTPStatus, code: int, retry_after_seconds: float | None
) -> None:
    asked: list[str] = []

    def answer(connection: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        response = connection.respond(status, "")
        response.headers["Location"] = "/elsewhere"
        if retry_after_seconds is not None:
            response.headers["Retry-After"] = f"{retry_after_seconds:g}"
        return response

    async def never(_: ServerConnection) -> None:
        raise AssertionError("nobody is let in")

    async with serve(never, "127.0.0.1", 0, process_request=answer) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        with pytest.raises(Refused) as caught:
            await dial(f"ws://127.0.0.1:{port}/here", Secret("t"))

    assert (caught.value.closed.code, caught.value.closed.retry_after_seconds) == (code, retry_after_seconds)
    assert asked == ["/here"]


async def test_a_server_that_is_not_there_is_dialled_again() -> None:
    with pytest.raises(Refused) as caught:
        await dial("ws://127.0.0.1:9/", Secret("t"))

    assert (caught.value.closed.code, caught.value.closed.reason) == (1006, "unreachable")
