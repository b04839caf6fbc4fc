"""A server, an agent and an engine under test, with everything that a fault needs at hand."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiodocker
from tests.chaos.engine import BUSYBOX, Processes
from tests.chaos.oracle import EngineFate, Findings, Oracle, Wanted, compare
from tests.chaos.views import EngineView, seen
from tests.fixtures.processes import Agent, Server, agent_of, ended, server_of
from tests.fixtures.waiting import NotInTime, eventually

from spunto.client.client import SpuntoClient
from spunto.client.errors import NotNow, NotThere, ServerUnreachable
from spunto.client.nodes import Node
from spunto.client.retry import NO_RETRY
from spunto.client.worker_models import Worker

ONLINE_SECONDS = 30.0
SETTLE_SECONDS = 30.0
CPUS = 0.05
MEMORY_BYTES = 16 * 1024 * 1024
_NO_PROCESSES = Processes()


@dataclass(slots=True, kw_only=True)
class Box:
    """`client` repeats nothing by itself: whoever acts here wants to know of every lost answer."""

    directory: Path
    server: Server
    agent: Agent
    engine_url: str
    client: SpuntoClient
    docker: aiodocker.Docker
    org_id: str
    project_id: str
    node_id: str
    oracle: Oracle = field(default_factory=Oracle)

    @property
    def engine(self) -> EngineView:
        return EngineView(self.docker, self.node_id)

    async def spawn(self, **wishes: Any) -> Worker:
        """One that is asked for now, and held to from now on."""
        worker = await self.client.workers.spawn(self.org_id, self.project_id, **wishes)
        self.oracle.spawned(f"once {worker.id}", worker.id)
        return worker

    async def spawn_ready(self, **wishes: Any) -> Worker:
        worker = await self.spawn(**wishes)
        return await self.client.workers.wait_for_worker(worker, timeout_seconds=SETTLE_SECONDS)

    async def stop(self, worker: Worker) -> Worker:
        answer = await self.client.workers.stop(worker)
        self.oracle.asked(worker.id, Wanted.STOPPED)
        return answer

    async def start(self, worker: Worker) -> Worker:
        answer = await self.client.workers.start(worker)
        self.oracle.asked(worker.id, Wanted.RUNNING)
        return answer

    async def destroy(self, worker: Worker) -> Worker:
        answer = await self.client.workers.destroy(worker)
        self.oracle.asked(worker.id, Wanted.GONE)
        return answer

    async def node(self) -> Node:
        return await self.client.nodes.get(self.org_id, self.node_id)

    async def node_is(self, status: str, *, seconds: float = ONLINE_SECONDS) -> None:
        async def reached() -> bool:
            return (await self.node()).status == status

        what = f"the node is {status}\n{self.agent.tail()}\n{self.server.tail()}"
        await eventually(reached, seconds=seconds, what=what)

    async def worker_is(self, worker: Worker, *states: str, seconds: float = SETTLE_SECONDS) -> Worker:
        async def reached() -> Worker | None:
            now = await self.client.workers.get(worker)
            return now if now.state in states else None

        return await eventually(reached, seconds=seconds, what=f"{worker.id} is {' or '.join(states)}")

    async def is_gone(self, worker: Worker, *, seconds: float = SETTLE_SECONDS) -> None:
        async def gone() -> bool:
            try:
                await self.client.workers.get(worker)
            except NotThere:
                return True
            return False

        await eventually(gone, seconds=seconds, what=f"{worker.id} is gone")

    async def findings(
        self, processes: Processes = _NO_PROCESSES, *, engine: EngineFate = EngineFate.UNHARMED
    ) -> Findings:
        """What is not as it should be, now."""
        now = await seen(
            self.client,
            self.engine,
            org_id=self.org_id,
            project_id=self.project_id,
            node_id=self.node_id,
            processes=processes,
        )
        return compare(self.oracle, now, engine=engine)

    async def settled(self, *, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until everything is as it was asked for. Raises NotInTime with what is not."""
        try:
            await eventually(self._is_clean, seconds=seconds, what="everything is as it was asked for")
        except NotInTime as late:
            raise NotInTime("\n".join((*late.args, *(await self.findings()).sentences()))) from late

    async def _is_clean(self) -> bool:
        try:
            return not await self.findings()
        except (ServerUnreachable, NotNow):
            return False


@asynccontextmanager
async def running_box(
    directory: Path,
    engine_url: str,
    *,
    database_url: str | None = None,
    host: str = "127.0.0.1",
    inside: Sequence[str] = (),
) -> AsyncIterator[Box]:
    """A box whose node is online and whose project makes the smallest of workers; at the end nothing of it is left."""
    server = server_of(directory / "server", database_url=database_url, host=host)
    agent = agent_of(server, engine_url, directory / "agent", inside=inside)
    async with aiodocker.Docker(engine_url) as docker:
        with ended([server, agent]):
            server.start()
            server.wait_ready()
            agent.start()
            async with SpuntoClient(server.url, server.owner_token, timeout_seconds=10, retry=NO_RETRY) as client:
                box = await _box(directory, server, agent, engine_url, client, docker)
                await box.node_is("online")
                try:
                    yield box
                finally:
                    agent.stop()
                    await box.engine.clear_away()


async def _box(
    directory: Path, server: Server, agent: Agent, engine_url: str, client: SpuntoClient, docker: aiodocker.Docker
) -> Box:
    org = (await client.orgs.list()).items[0]
    node = (await client.nodes.list(org.id)).items[0]
    project = await client.projects.create(org.id, "smallest", BUSYBOX, cpus=CPUS, memory_bytes=MEMORY_BYTES)
    return Box(
        directory=directory,
        server=server,
        agent=agent,
        engine_url=engine_url,
        client=client,
        docker=docker,
        org_id=org.id,
        project_id=project.id,
        node_id=node.id,
    )
