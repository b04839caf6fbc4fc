"""The holder's process keeps the contract, on each engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from spunto.adapters.runtimes.detect import connect
from spunto.core.executor.terminals.port import TerminalHolder
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.log import silent
from spunto.testing.contracts.container_lab import Lab
from spunto.testing.contracts.terminal_holder import TerminalHolderContract
from spunto_agent.holder.places import lock_file
from spunto_agent.holding import HolderLink

IMAGE = "localhost/spunto/worker:1"


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
def address(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param, str(request.getfixturevalue(f"{request.param}_url"))


class TestHolderLink(TerminalHolderContract):
    @pytest.fixture
    async def container(self, address: tuple[str, str]) -> AsyncIterator[str]:
        runtime = await connect(*address)
        lab = Lab(runtime=runtime, network="none", image=IMAGE)
        network = lab.a_network()
        await runtime.ensure_network(network)
        yield await lab.started(network=network.name)
        await lab.clear()
        await runtime.aclose()

    @pytest.fixture
    async def holder(self, address: tuple[str, str], tmp_path: Path) -> AsyncIterator[TerminalHolder]:
        async def told() -> tuple[str, str]:
            return address

        yield HolderLink(tmp_path, address=told, starts=True, clock=SystemClock(), log=silent)
        with suppress(OSError, psutil.NoSuchProcess):
            holder = psutil.Process(int(lock_file(tmp_path).read_text()))
            holder.terminate()
            await asyncio.to_thread(holder.wait, 20)
