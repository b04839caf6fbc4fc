"""Podman keeps the contract."""

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.runtimes.engines import engine_directory, private_podman
from tests.integration.runtimes.real_engine import RealEngineContract

from spunto.adapters.runtimes.podman import PodmanRuntime
from spunto.core.executor.runtime import EngineUnavailable, Network
from spunto.testing.contracts.container_lab import Mortal, a_subnet

pytestmark = pytest.mark.podman


@pytest.fixture
async def runtime(podman_url: str) -> AsyncIterator[PodmanRuntime]:
    runtime = await PodmanRuntime.connect(podman_url)
    yield runtime
    await runtime.aclose()


@pytest.fixture(scope="module")
def network(podman_url: str) -> Iterator[str]:
    """One for most tests: making one takes longer than most of them."""
    network = Network(
        name=f"spunto-test-{secrets.token_hex(6)}-shared", subnet=a_subnet(), labels={"spunto.test": "shared"}
    )

    async def change(*, remove: bool) -> None:
        runtime = await PodmanRuntime.connect(podman_url)
        await (runtime.remove_network(network.name) if remove else runtime.ensure_network(network))
        await runtime.aclose()

    asyncio.run(change(remove=False))
    yield network.name
    asyncio.run(change(remove=True))


class TestPodmanRuntime(RealEngineContract):
    tells_oom = False  # Podman 4.3 misses it under cgroup v1

    @pytest.fixture
    async def mortal(self) -> AsyncIterator[Mortal]:
        with engine_directory() as directory:
            url, engine = private_podman(directory)
            await engine.start()
            try:
                runtime = await PodmanRuntime.connect(url)
                yield Mortal(runtime=runtime, end=engine.kill, bring_back=engine.start)
                await runtime.aclose()
            finally:
                await engine.stop()

    async def test_a_socket_without_an_engine_is_unavailable(self, tmp_path: Path) -> None:
        with pytest.raises(EngineUnavailable):
            await PodmanRuntime.connect(f"unix://{tmp_path}/none")

    async def test_no_socket_stays_open_where_nobody_answers(self, mortal: Mortal) -> None:
        await mortal.end()

        for _ in range(2):  # the first fails on the connection that was open, the second can't make a new one
            with pytest.raises(EngineUnavailable):
                await mortal.runtime.info()
        gc.collect()  # shows a socket that only the exception held: the warning fails the test
