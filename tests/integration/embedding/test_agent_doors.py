"""An agent's process code comes in by a door in somebody else's server, and its worker gets ready."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypercorn.asyncio import serve as serve_asgi
from hypercorn.config import Config
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.projects.model import Environment
from spunto.core.workers.model import WorkerState
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.ws.agent_doors import AsgiAgentDoor, serve_agent
from spunto_agent.main import TURNED_AWAY, serve
from spunto_agent.settings import AgentSettings

IMAGE = "localhost/spunto/worker:1"
PATIENCE_SECONDS = 30.0

Door = Callable[[Spunto], AbstractAsyncContextManager[str]]
"""Opens a server with a door; its URL as an agent is told it."""


@asynccontextmanager
async def asgi_application_with_a_prefix(spunto: Spunto) -> AsyncIterator[str]:
    """A stranger's application, which has the door below a prefix of its own, as a mounting framework gives it."""
    door = AsgiAgentDoor(spunto.gateway)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or scope["path"].startswith("/spunto/"):
            await door(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    config, ending = Config(), asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = config.errorlog = None
    serving = asyncio.ensure_future(serve_asgi(application, config, shutdown_trigger=ending.wait))
    try:
        yield f"http://127.0.0.1:{port}/spunto"
    finally:
        ending.set()
        await serving


@asynccontextmanager
async def plain_websockets_server(spunto: Spunto) -> AsyncIterator[str]:
    async def handler(connection: ServerConnection) -> None:
        await serve_agent(spunto.gateway, connection)

    async with serve_websockets(handler, "127.0.0.1", 0, compression=None) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


@pytest.fixture(params=[asgi_application_with_a_prefix, plain_websockets_server])
async def doored(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Spunto, str]]:
    door: Door = request.param
    async with Spunto.in_memory() as spunto, door(spunto) as url:
        yield spunto, url


def settings_for(url: str, token: str, data_dir: Path) -> AgentSettings:
    return AgentSettings(server_url=url, token=SecretStr(token), data_dir=data_dir)


async def test_a_worker_of_an_embedding_program_gets_ready(doored: tuple[Spunto, str], tmp_path: Path) -> None:
    spunto, url = doored
    owner, organization = await spunto.bootstrap()
    made = await spunto.nodes.create(owner, organization.id, name="own engine")
    project = await spunto.projects.create(owner, organization.id, name="hello", environment=Environment(image=IMAGE))
    runtime = FakeRuntime(images=[IMAGE])

    agent = asyncio.ensure_future(serve(settings_for(url, made.token.reveal(), tmp_path), runtime=runtime))
    try:
        await spunto.node_online(owner, organization.id, made.node.id, max_seconds=PATIENCE_SECONDS)
        worker = (await spunto.workers.spawn(owner, organization.id, project.id)).worker
        ready = await spunto.settled(owner, organization.id, project.id, worker.id, max_seconds=PATIENCE_SECONDS)
    finally:
        agent.cancel()
        with suppress(asyncio.CancelledError):
            await agent
        await runtime.aclose()

    assert ready.worker.state is WorkerState.READY


async def test_an_agent_with_another_token_is_turned_away(doored: tuple[Spunto, str], tmp_path: Path) -> None:
    spunto, url = doored
    owner, organization = await spunto.bootstrap()
    made = await spunto.nodes.create(owner, organization.id, name="own engine")
    await spunto.nodes.rotate_token(owner, organization.id, made.node.id)
    runtime = FakeRuntime()

    async with asyncio.timeout(PATIENCE_SECONDS):
        ended = await serve(settings_for(url, made.token.reveal(), tmp_path), runtime=runtime)
    await runtime.aclose()

    assert ended == TURNED_AWAY


async def test_whoever_dials_without_a_token_or_elsewhere_is_closed(doored: tuple[Spunto, str]) -> None:
    _, url = doored
    websocket_url = url.replace("http", "ws", 1)

    async with connect(f"{websocket_url}/api/agent/connect", proxy=None) as connection:
        with pytest.raises(ConnectionClosed) as nameless:
            await connection.recv()
    with pytest.raises((ConnectionClosed, InvalidStatus)):
        async with connect(f"{websocket_url}/elsewhere", proxy=None) as connection:
            await connection.recv()

    assert nameless.value.rcvd is not None
    assert (nameless.value.rcvd.code, nameless.value.rcvd.reason) == (4401, "credential_missing")
