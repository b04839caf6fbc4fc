"""The tests' own kinds on real engines, made by an agent's process that has them in its tables, and told by one that
has not."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import orjson
import pytest
from tests.integration.agent.socket_server import SocketServer, socket_server
from tests.kinds import bridge, errand
from tests.kinds.bridge import BridgeSpec, network_of
from tests.kinds.errand import ErrandSpec
from tests.unit.core.executor.node_values import IMAGE, a_desired_item

from spunto.adapters.runtimes.detect import connect
from spunto.core.executor.runtime import ContainerRuntime, ContainerState
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.nodes.model import NodeId
from spunto.core.protocol.messages import DesiredItem, ObservedItem, Phase, Wanted
from spunto.core.specs.names import name_of
from spunto.core.specs.worker import container_name

ORG = "org_00000000000000000000000000"
OF_TESTS, RELEASED = "tests.kinds.agent", "spunto_agent"
KILLED = 137


class Lab:
    """One node on a real engine; its agent has the tests' kinds, or is the one that is released."""

    def __init__(self, server: SocketServer, engine: ContainerRuntime, environment: dict[str, str]) -> None:
        ids = TimeOrderedIds(SystemClock())
        self.server = server
        self.engine = engine
        self.bridge, self.errand, self.worker = ids.new("brg"), ids.new("ern"), ids.new("wkr")
        self.container = name_of("errand", self.errand)
        self._environment = environment

    def wanting(self, command: str) -> list[DesiredItem]:
        spec = ErrandSpec(org_id=ORG, image=IMAGE, bridge=self.bridge, command=("sh", "-c", command))
        return [
            _present("errand", self.errand, errand.write(spec)),
            _present("bridge", self.bridge, bridge.SPEC.write(BridgeSpec(org_id=ORG))),
        ]

    def absent(self) -> list[DesiredItem]:
        return [
            DesiredItem(kind=kind, id=subject_id, generation=2, wanted=Wanted.ABSENT)
            for kind, subject_id in (("bridge", self.bridge), ("errand", self.errand))
        ]

    @asynccontextmanager
    async def agent(self, module: str = OF_TESTS, **more: str) -> AsyncIterator[subprocess.Popen[bytes]]:
        """An agent's process; it is killed at the end of the block."""
        self.server.observed.clear()
        comes_as = len(self.server.hellos) + 1
        process = subprocess.Popen(  # noqa: ASYNC220 - asyncio's child watcher loses exit codes to others
            [sys.executable, "-m", module], env={**os.environ, **self._environment, **more}
        )
        try:
            await self.server.until_connected(comes_as)
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait, 20)

    async def until(self, subject_id: str, phase: Phase, generation: int = 1) -> ObservedItem:
        return await self.server.until_phase(subject_id, phase, generation)

    async def said(self) -> list[str]:
        """What the errand's container has written."""
        return [chunk.line async for chunk in self.engine.logs(self.container, tail=None, since=None, follow=False)]

    async def left(self) -> list[str]:
        """Everything on the engine that is of the tests' kinds."""
        containers = await self.engine.list_containers(label=f"spunto.id={self.errand}")
        networks = [each.name for each in await self.engine.list_networks() if each.name == network_of(self.bridge)]
        return [each.name for each in containers] + networks


def _present(kind: str, subject_id: str, spec: dict[str, object]) -> DesiredItem:
    return DesiredItem(kind=kind, id=subject_id, generation=1, wanted=Wanted.PRESENT, spec=spec)


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    url = str(request.getfixturevalue(f"{request.param}_url"))
    node_id = NodeId(TimeOrderedIds(SystemClock()).new("nod"))
    engine = await connect(request.param, url)
    async with socket_server(node_id) as server:
        environment = {
            "SPUNTO_AGENT_SERVER_URL": server.url,
            "SPUNTO_AGENT_TOKEN": server.token,
            "SPUNTO_AGENT_DATA_DIR": str(tmp_path),
            "SPUNTO_AGENT_ENGINE": request.param,
            "SPUNTO_AGENT_ENGINE_URL": url,
        }
        made = Lab(server, engine, environment)
        try:
            yield made
        finally:
            for name in (made.container, container_name(made.worker)):
                await engine.remove_container(name)
            for name in (network_of(made.bridge), f"{container_name(made.worker)}-net"):
                await engine.remove_network(name)
            await engine.remove_volume(f"{container_name(made.worker)}-workspace")
            await engine.aclose()


async def test_one_stands_on_the_other_s_network_runs_once_and_both_are_taken_away(lab: Lab) -> None:
    async with lab.agent():
        await lab.server.send(*lab.wanting("echo ran; exit 7"), whole=True)
        await lab.until(lab.bridge, Phase.RUNNING)
        ended = await lab.until(lab.errand, Phase.STOPPED)
    said = await lab.said()
    async with lab.agent():
        again = await lab.until(lab.errand, Phase.STOPPED)
        said_after_all = await lab.said()
        await lab.server.send(*lab.absent())
        await lab.until(lab.errand, Phase.ABSENT, 2)
        await lab.until(lab.bridge, Phase.ABSENT, 2)

    assert (ended.exit_code, again.exit_code) == (7, 7)
    assert said == said_after_all == ["ran"]
    assert await lab.left() == []


@pytest.mark.parametrize(
    ("point", "phase", "runs"),
    [
        ("after_create", Phase.STOPPED, 1),
        # It was written down that it begins, and that is all that anybody knows.
        ("before_start", Phase.FAILED, 0),
        ("after_start", Phase.STOPPED, 1),
    ],
)
async def test_an_agent_that_dies_in_the_middle_never_runs_it_twice(
    lab: Lab, point: str, phase: Phase, runs: int
) -> None:
    async with lab.agent(SPUNTO_CRASH=f"{point}:1") as process:
        await lab.server.send(*lab.wanting("echo ran; exit 0"), whole=True)
        assert await asyncio.to_thread(process.wait, 60) == KILLED

    async with lab.agent():
        ended = await lab.until(lab.errand, phase)
        said = await lab.said()

    assert said == runs * ["ran"]
    assert (ended.error and ended.error.code) == (None if runs else "lost")


async def test_an_agent_without_the_kinds_says_so_while_its_worker_runs_on(lab: Lab, tmp_path: Path) -> None:
    worker = a_desired_item(1, subject_id=lab.worker)
    async with lab.agent():
        await lab.server.send(*lab.wanting("echo ran; sleep 600"), worker, whole=True)
        await lab.until(lab.errand, Phase.RUNNING)
        before = await lab.until(lab.worker, Phase.RUNNING)
    kept = _journal(tmp_path)

    async with lab.agent(RELEASED):
        refused = await lab.until(lab.errand, Phase.REFUSED)
        await lab.until(lab.bridge, Phase.REFUSED)
        meanwhile = await lab.until(lab.worker, Phase.RUNNING)
    assert refused.error is not None
    assert (refused.error.code, refused.container_state) == ("kind_unknown", "running")
    assert _journal(tmp_path) == kept
    assert await lab.said() == ["ran"]

    async with lab.agent():
        again = await lab.until(lab.errand, Phase.RUNNING)
        after = await lab.until(lab.worker, Phase.RUNNING)
    assert before.container_id == meanwhile.container_id == after.container_id
    assert again.container_id == refused.container_id

    async with lab.agent(RELEASED):
        await lab.server.send(*lab.absent())
        await lab.until(lab.errand, Phase.ABSENT, 2)
        await lab.until(lab.bridge, Phase.ABSENT, 2)
    container = await lab.engine.find_container(container_name(lab.worker))
    assert await lab.left() == []
    assert container is not None
    assert (container.container_id, container.state) == (before.container_id, ContainerState.RUNNING)


def _journal(directory: Path) -> list[object]:
    with closing(sqlite3.connect(next(directory.glob("journal-*.db")))) as journal:
        return [orjson.loads(body) for (body,) in journal.execute("SELECT body FROM entries ORDER BY subject_id")]
