"""A node of real parts in one process: the runner over a real engine, images of the test's own, and what was heard."""

import asyncio
import io
import secrets
import tarfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiodocker
from aiodocker.containers import DockerContainer
from tests.unit.core.executor.living_node import Listener
from tests.unit.core.executor.node_values import a_desired_item, desired

from spunto.adapters.runtimes.detect import connect
from spunto.core.executor.journal import MemoryJournal
from spunto.core.executor.runner import NodeRunner
from spunto.core.executor.runtime import ContainerRuntime, ExecSpec
from spunto.core.executor.settings import NodeSettings
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.protocol.messages import DesiredItem, ObservedItem, Phase, Wanted
from spunto.core.specs.worker import container_name
from spunto.testing.contracts.container_lab import PATIENCE_SECONDS, Ran, closing, result

BUSYBOX = "localhost/spunto/busybox:1"


@dataclass(slots=True, kw_only=True)
class RealNode:
    """One worker on one engine. `hands` is the engine for who goes past Spunto."""

    runtime: ContainerRuntime
    hands: aiodocker.Docker
    runner: NodeRunner
    listener: Listener
    worker: str
    image: str = BUSYBOX
    generation: int = 0
    images: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return container_name(self.worker)

    async def run(self, script: str) -> Ran:
        async with closing(await self.runtime.exec(self.name, ExecSpec(command=("sh", "-c", script)))) as running:
            return await result(running)

    def want(self, *, wanted: Wanted = Wanted.PRESENT, **fields: Any) -> None:
        self.generation += 1
        self.runner.apply(desired(self.item(wanted=wanted, **fields)))

    def item(self, *, wanted: Wanted = Wanted.PRESENT, **fields: Any) -> DesiredItem:
        spec = {"image": self.image, "memory_bytes": 32 * 1024**2, "cpu_millis": 500, **fields}
        return a_desired_item(self.generation, subject_id=self.worker, wanted=wanted, **spec)

    async def until(self, phase: Phase) -> ObservedItem:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                newest = next((each for each in reversed(self.listener.heard) if each.id == self.worker), None)
                if newest is not None and (newest.phase, newest.generation) == (phase, self.generation):
                    return newest
                await self.listener.next()

    async def until_shown(self, container_state: str) -> ObservedItem:
        """The newest word on the worker, once it shows its container like that."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.listener.heard or self.listener.heard[-1].container_state != container_state:
                await self.listener.next()
        return self.listener.heard[-1]

    async def set_up(self, *, after: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """The setup's status once it is over; of a later start than that one's."""
        earlier = None if after is None else after["startedAt"]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                setup = self.listener.heard[-1].setup if self.listener.heard else None
                is_over = setup is not None and setup["phase"] in ("ready", "error")
                if setup is not None and is_over and setup["startedAt"] != earlier:
                    return setup
                await self.listener.next()

    async def ran(self, *command: str) -> Ran:
        async with closing(await self.runtime.exec(self.name, ExecSpec(command=command))) as running:
            return await result(running)

    async def make_image(self, changes: Sequence[str], *, directories: Sequence[str] = (), base: str = BUSYBOX) -> None:
        """An image like busybox's, with further instructions of a Dockerfile, and directories that root owns."""
        name = f"spunto-test-{secrets.token_hex(6)}"
        made = await self.hands.containers.create({"Image": base}, name=name)
        if directories:
            await made.put_archive("/", _directories(directories))  # type: ignore[no-untyped-call]  # aiodocker's has no types
        await self.commit(made, changes or ["LABEL made=by-hand"])

    async def commit(self, made: DockerContainer, changes: Sequence[str]) -> None:
        """The container as the worker's image, with further instructions of a Dockerfile; it is removed."""
        name = f"spunto-test-{secrets.token_hex(6)}"
        try:
            await made.commit(repository=f"localhost/{name}", tag="1", changes="\n".join(changes), config={})
        finally:
            await made.delete(force=True)
        self.image = f"localhost/{name}:1"
        self.images.append(self.image)

    async def clear(self) -> None:
        label = f"spunto.id={self.worker}"
        for container in await self.runtime.list_containers(label=label):
            await self.runtime.remove_container(container.name)
        await self.runtime.remove_network(f"{self.name}-net")
        await self.runtime.remove_volume(f"{self.name}-workspace")
        for image in self.images:
            await self.hands.images.delete(image, force=True)


@asynccontextmanager
async def real_node(url: str, **settings: Any) -> AsyncIterator[RealNode]:
    ids = TimeOrderedIds(SystemClock())
    runtime = await connect("auto", url)
    node = NodeSettings(
        node_id=ids.new("nod"),
        instance_id="i",
        boot_id="b",
        agent_version="1",
        engine="auto",
        **settings,
    )
    runner, listener = NodeRunner(runtime, journal=MemoryJournal(), clock=SystemClock(), settings=node), Listener()
    async with aiodocker.Docker(url) as hands:
        made = RealNode(runtime=runtime, hands=hands, runner=runner, listener=listener, worker=ids.new("wkr"))
        runner.attach(listener)
        running = asyncio.ensure_future(runner.run())
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.wait([running])
            await made.clear()
            await runtime.aclose()


def _directories(paths: Sequence[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in paths:
            member = tarfile.TarInfo(path.strip("/"))
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
    return buffer.getvalue()
