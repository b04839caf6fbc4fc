"""Terminals held in the agent's own process, on the fake engine."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.terminals.in_agent import sessions_by
from spunto.core.executor.terminals.port import SessionLost, Size, TerminalHolder, Wish
from spunto.core.executor.terminals.sessions import Sessions
from spunto.core.kernel.clock import ManualClock
from spunto.testing.contracts.container_lab import Lab
from spunto.testing.contracts.terminal_holder import TerminalHolderContract

IMAGE = "localhost/spunto/busybox:1"


@pytest.fixture
async def runtime() -> AsyncIterator[FakeRuntime]:
    runtime = FakeRuntime(images=[IMAGE])
    yield runtime
    await runtime.aclose()


@pytest.fixture
async def container(runtime: FakeRuntime) -> str:
    lab = Lab(runtime=runtime, network="net", image=IMAGE)
    await runtime.ensure_network(lab.a_network(name="net"))
    return await lab.started()


@pytest.fixture
async def holder(runtime: FakeRuntime) -> AsyncIterator[Sessions]:
    sessions = sessions_by(runtime, clock=ManualClock(), lost=("lost-one",))
    running = asyncio.create_task(sessions.run())
    await asyncio.sleep(0)
    yield sessions
    running.cancel()
    await asyncio.wait({running})


class TestSessions(TerminalHolderContract):
    @pytest.fixture
    def holder(self, holder: Sessions) -> TerminalHolder:
        return holder

    @pytest.fixture
    def container(self, container: str) -> str:
        return container


async def test_what_a_holder_before_held_is_said_to_be_lost(holder: Sessions, container: str) -> None:
    with pytest.raises(SessionLost):
        await holder.enter(Wish(container=container, session="lost-one", size=Size(cols=80, rows=24)))
