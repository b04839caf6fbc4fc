"""How often an engine is asked where a container is, and what is remembered of that."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web

from spunto.adapters.runtimes.engine_socket import EngineSocket, Timeouts
from spunto.adapters.runtimes.ports import Ports
from spunto.core.executor.runtime import ContainerNotRunning

PATIENCE_SECONDS: Final = 5.0
MANY: Final = 20


class Engine:
    """Its one container is at an address of this machine. It answers when it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.address = "127.0.0.1"
        self.is_running = True
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.44"})

    async def inspect(self, _: web.Request) -> web.Response:
        self.asked += 1
        # Of a process that is no container's, so that its address leads to it.
        state = {"Running": self.is_running, "Pid": os.getpid()}
        networks = {"net": {"IPAddress": self.address}}
        self.was_asked.set()
        await self.may_answer.wait()
        return web.json_response({"Id": "f" * 64, "State": state, "NetworkSettings": {"Networks": networks}})


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine()
    application = web.Application()
    application.router.add_get("/version", engine.version)
    application.router.add_get("/{api}/version", engine.version)
    application.router.add_get("/{api}/containers/one/json", engine.inspect)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "engine")).start()
    yield engine
    await runner.cleanup()


@pytest.fixture
async def ports(engine: Engine, tmp_path: Path) -> AsyncIterator[Ports]:
    socket = await EngineSocket.open(f"unix://{tmp_path}/engine", Timeouts())
    ports = Ports(socket)
    yield ports
    ports.close()
    await socket.aclose()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where somebody listens at that address."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def connects(ports: Ports, port: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        (await ports.connect("one", port)).abort()


async def test_many_that_connect_at_first_have_the_engine_asked_once(engine: Engine, ports: Ports, port: int) -> None:
    await asyncio.gather(*(connects(ports, port) for _ in range(MANY)))
    await connects(ports, port)

    assert engine.asked == 1


async def test_one_that_gives_up_keeps_nobody_from_looking(engine: Engine, ports: Ports, port: int) -> None:
    engine.may_answer.clear()
    first, second = (asyncio.create_task(connects(ports, port)) for _ in range(2))
    await engine.was_asked.wait()

    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    engine.may_answer.set()

    await second


async def test_what_is_known_of_a_container_ends_with_a_change_to_it(engine: Engine, ports: Ports, port: int) -> None:
    await connects(ports, port)

    with ports.changing("one"):
        engine.is_running = False

    with pytest.raises(ContainerNotRunning):
        await connects(ports, port)


async def test_what_was_learned_while_it_changed_is_asked_again(engine: Engine, ports: Ports, port: int) -> None:
    engine.address = "127.0.0.2"
    engine.may_answer.clear()
    connecting = asyncio.create_task(connects(ports, port))
    await engine.was_asked.wait()

    with ports.changing("one"):
        engine.address = "127.0.0.1"
    engine.may_answer.set()
    await connecting

    assert engine.asked == 2
