"""The bench on which the container engine contract is tried: makes things and clears them away."""

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from spunto.core.executor.runtime import (
    ContainerRuntime,
    ContainerSpec,
    EngineEvent,
    Exec,
    ExecSpec,
    LogChunk,
    Network,
)

PATIENCE_SECONDS = 30
FOREVER = ("sleep", "1000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command wrote and how it ended."""

    stdout: bytes
    stderr: bytes
    code: int


@dataclass(slots=True, kw_only=True)
class Lab:
    """Makes things with names of their own and removes them at the end."""

    runtime: ContainerRuntime
    network: str
    image: str
    suffix: str = field(default_factory=lambda: secrets.token_hex(6))
    volumes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"spunto.test={self.suffix}"

    @property
    def labels(self) -> dict[str, str]:
        return {"spunto.test": self.suffix}

    def volume(self) -> str:
        self.volumes.append(f"spunto-test-{self.suffix}-{len(self.volumes)}")
        return self.volumes[-1]

    def a_network(self, **changes: Any) -> Network:
        network = Network(name=f"spunto-test-{self.suffix}-net", subnet=a_subnet(), labels=self.labels)
        return replace(network, **changes)

    def a_spec(self, **changes: Any) -> ContainerSpec:
        spec = ContainerSpec(
            name=f"spunto-test-{self.suffix}",
            image=self.image,
            network=self.network,
            hostname="worker",
            labels=self.labels,
            command=FOREVER,
            cpu_millis=500,
            memory_bytes=64 * 1024 * 1024,
            pids=64,
        )
        return replace(spec, **changes)

    async def started(self, **changes: Any) -> str:
        spec = self.a_spec(**changes)
        await self.runtime.create_container(spec)
        await self.runtime.start_container(spec.name)
        return spec.name

    async def ran(self, name: str, *command: str, **spec: Any) -> Ran:
        async with closing(await self.runtime.exec(name, ExecSpec(command=command, **spec))) as running:
            return await result(running)

    async def logged(self, name: str, *, tail: int | None = None, since: datetime | None = None) -> list[LogChunk]:
        return [chunk async for chunk in self.runtime.logs(name, tail=tail, since=since, follow=False)]

    async def clear(self) -> None:
        for container in await self.runtime.list_containers(label=self.label):
            await self.runtime.remove_container(container.name)
        for network in await self.runtime.list_networks():
            if network.labels.get("spunto.test") == self.suffix:
                await self.runtime.remove_network(network.name)
        for volume in self.volumes:
            await self.runtime.remove_volume(volume)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mortal:
    """A runtime whose engine the test may end and bring back."""

    runtime: ContainerRuntime
    end: Callable[[], Awaitable[None]]
    bring_back: Callable[[], Awaitable[None]]


def a_subnet() -> str:
    number = random.randrange(4096)
    return f"10.213.{number // 16}.{number % 16 * 16}/28"


@asynccontextmanager
async def closing(running: Exec) -> AsyncIterator[Exec]:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield running
    finally:
        await running.aclose()


async def result(running: Exec) -> Ran:
    written = {"stdout": b"", "stderr": b""}
    while piece := await running.read():
        written[piece[0]] += piece[1]
    return Ran(stdout=written["stdout"], stderr=written["stderr"], code=await running.exit_code())


async def read_until(running: Exec, expected: bytes) -> bytes:
    seen = b""
    while expected not in seen:
        piece = await running.read()
        assert piece is not None, seen
        seen += piece[1]
    return seen


async def events_until(events: AsyncGenerator[EngineEvent, None], action: str) -> list[EngineEvent]:
    seen: list[EngineEvent] = []
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(events):
        async for event in events:
            seen.append(event)
            if event.action == action:
                break
    return seen


def lines(chunks: Sequence[LogChunk]) -> set[tuple[str, str]]:
    return {(chunk.stream, chunk.line) for chunk in chunks}


@dataclass(frozen=True, slots=True, kw_only=True)
class StalledImage:
    """An image whose registry has been asked and never answers."""

    name: str
    asked_for: asyncio.Event
