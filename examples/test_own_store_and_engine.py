"""How to prove a store or an engine of your own: inherit the contracts that Spunto's own ones keep.

The store here counts transactions, the engine counts containers; both lean on the ones in memory. What is yours leans
on your own technology and gives the same fixtures. Run it with `pytest examples`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from pydantic import SecretStr
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.adapters.memory.store import MemoryStore, MemoryTransaction
from spunto.core.executor.port_connection import PortConnection
from spunto.core.executor.runtime import Container, ContainerSpec, Network
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.projects.model import Environment
from spunto.core.workers.model import WorkerState
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.ws.agent_doors import serve_agent
from spunto.testing.contracts.container_lab import Lab, Mortal, StalledImage
from spunto.testing.contracts.container_ports import LAST_WORD, LISTENER, Listening
from spunto.testing.contracts.container_runtime import ContainerRuntimeContract
from spunto.testing.contracts.whole_store import StoreContract
from spunto_agent.main import serve
from spunto_agent.settings import AgentSettings

IMAGE = "localhost/spunto/worker:1"


class CountingStore(MemoryStore):
    """A store of your own: a unit of work, made with the wake-ups that its commits hint."""

    transactions = 0

    def __call__(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        self.transactions += 1
        return super().__call__()


class CountingEngine(FakeRuntime):
    """An engine of your own: `spunto.core.executor.runtime.ContainerRuntime` says what it has to do."""

    containers = 0

    async def create_container(self, spec: ContainerSpec) -> Container:
        self.containers += 1
        return await super().create_container(spec)


@pytest.fixture
def wakeups() -> Wakeups:
    return Wakeups(ManualClock())


@pytest.fixture
def store(wakeups: Wakeups) -> CountingStore:
    return CountingStore(wakeups)


class TestCountingStore(StoreContract):
    pass


@pytest.fixture
async def runtime(image: str, terminal_image: str) -> AsyncIterator[CountingEngine]:
    runtime = CountingEngine(images=[image, terminal_image], published=["registry/app:1"])
    yield runtime
    await runtime.aclose()


@pytest.fixture
async def network(runtime: CountingEngine) -> str:
    network = Network(name="shared", subnet="10.214.0.0/28", labels={})
    await runtime.ensure_network(network)
    return network.name


async def _echo(connection: PortConnection) -> None:
    while (data := await connection.read()) is not None:
        await connection.write(data)
    await connection.write(LAST_WORD)


class TestCountingEngine(ContainerRuntimeContract):
    @pytest.fixture
    def listening(self, runtime: CountingEngine) -> Listening:
        """How to have a program in a container listen at a port, and echo what it hears."""

        async def listen(_: Lab, name: str, address: str, port: int) -> None:
            bound = "10.0.0.2" if address == "own" else address
            runtime.serve_port(name, port, _echo, address=bound, process=LISTENER)

        return listen

    @pytest.fixture
    def stalled_image(self, runtime: CountingEngine) -> StalledImage:
        """An image whose pull begins and never ends."""
        runtime.hold_pulls()
        return StalledImage(name="registry/app:1", asked_for=runtime.pull_begun)

    @pytest.fixture
    def mortal(self, runtime: CountingEngine) -> Mortal:
        """How to end the engine under test, and how to bring it back."""

        async def mend() -> None:
            runtime.mend_engine()

        return Mortal(runtime=runtime, end=runtime.break_engine, bring_back=mend)


async def test_spunto_runs_on_both(tmp_path: Path) -> None:
    engine = CountingEngine(images=[IMAGE])
    async with Spunto.on_store(CountingStore) as spunto:
        owner, organization = await spunto.bootstrap()
        made = await spunto.nodes.create(owner, organization.id, name="mine")

        async def attend(connection: ServerConnection) -> None:
            await serve_agent(spunto.gateway, connection)

        async with serve_websockets(attend, "127.0.0.1", 0, compression=None) as server, asyncio.TaskGroup() as group:
            port = next(iter(server.sockets)).getsockname()[1]
            settings = AgentSettings(
                server_url=f"http://127.0.0.1:{port}", token=SecretStr(made.token.reveal()), data_dir=tmp_path
            )
            agent = group.create_task(serve(settings, runtime=engine))
            project = await spunto.projects.create(
                owner, organization.id, name="hello", environment=Environment(image=IMAGE)
            )
            await spunto.node_online(owner, organization.id, made.node.id, max_seconds=30)
            worker = (await spunto.workers.spawn(owner, organization.id, project.id)).worker
            ready = await spunto.settled(owner, organization.id, project.id, worker.id, max_seconds=30)
            agent.cancel()
    await engine.aclose()

    assert (ready.worker.state, engine.containers) == (WorkerState.READY, 1)
