"""Docker keeps the contract."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.runtimes.engines import private_docker
from tests.integration.runtimes.real_engine import RealEngineContract

from spunto.adapters.runtimes.docker import DockerRuntime
from spunto.core.executor.runtime import EngineUnavailable, Network
from spunto.testing.contracts.container_lab import Mortal, a_subnet

pytestmark = pytest.mark.docker


@pytest.fixture
async def runtime(docker_url: str) -> AsyncIterator[DockerRuntime]:
    runtime = await DockerRuntime.connect(docker_url)
    yield runtime
    await runtime.aclose()


@pytest.fixture(scope="module")
def network(docker_url: str) -> Iterator[str]:
    """One for most tests: making one takes longer than most of them."""
    network = Network(
        name=f"spunto-test-{secrets.token_hex(6)}-shared", subnet=a_subnet(), labels={"spunto.test": "shared"}
    )

    async def change(*, remove: bool) -> None:
        runtime = await DockerRuntime.connect(docker_url)
        await (runtime.remove_network(network.name) if remove else runtime.ensure_network(network))
        await runtime.aclose()

    asyncio.run(change(remove=False))
    yield network.name
    asyncio.run(change(remove=True))


class TestDockerRuntime(RealEngineContract):
    @pytest.fixture
    async def mortal(self, tmp_path: Path) -> AsyncIterator[Mortal]:
        url, engine = private_docker(tmp_path)
        await engine.start()
        try:
            runtime = await DockerRuntime.connect(url)
            yield Mortal(runtime=runtime, end=engine.kill, bring_back=engine.start)
            await runtime.aclose()
        finally:
            await engine.stop()

    async def test_a_socket_without_an_engine_is_unavailable(self, tmp_path: Path) -> None:
        with pytest.raises(EngineUnavailable):
            await DockerRuntime.connect(f"unix://{tmp_path}/none")
