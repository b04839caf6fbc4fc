"""The node's container engine, connected to whenever it is there."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime

from spunto.adapters.runtimes.detect import connect
from spunto.adapters.runtimes.engine_runtime import EngineRuntime
from spunto.core.executor.disk import DiskSpace, DiskUse
from spunto.core.executor.file_work import FileWork
from spunto.core.executor.listening_port import ListeningPort
from spunto.core.executor.port_connection import PortConnection
from spunto.core.executor.runtime import (
    Container,
    ContainerRuntime,
    ContainerSpec,
    EngineEvent,
    EngineInfo,
    Exec,
    ExecSpec,
    LogChunk,
    Network,
    Stats,
    Volume,
)
from spunto.core.specs.files import FileRequest
from spunto_agent.holder.door import EngineDoor


class LateRuntime:
    """A `ContainerRuntime` whose engine need not be there yet: the first call that finds it connects."""

    def __init__(self, engine: str, url: str | None) -> None:
        self._engine = engine
        self._url = url
        self._lock = asyncio.Lock()
        self._connected: ContainerRuntime | None = None

    async def _runtime(self) -> ContainerRuntime:
        if self._connected is None:
            async with self._lock:
                if self._connected is None:
                    self._connected = await connect(self._engine, self._url)
        return self._connected

    async def address(self) -> tuple[str, str] | None:
        """Kind and URL of the engine, for another process to speak to it; None where it has none of the kind that the
        holder knows. Raises EngineUnavailable."""
        runtime = await self._runtime()
        if not isinstance(runtime, EngineRuntime) or not EngineDoor.opens(runtime.url):
            return None
        return runtime.kind, runtime.url

    async def info(self) -> EngineInfo:
        return await (await self._runtime()).info()

    async def has_image(self, image: str) -> bool:
        return await (await self._runtime()).has_image(image)

    async def pull_image(self, image: str) -> None:
        await (await self._runtime()).pull_image(image)

    async def ensure_network(self, network: Network) -> None:
        await (await self._runtime()).ensure_network(network)

    async def connect_network(self, name: str, network: str) -> None:
        await (await self._runtime()).connect_network(name, network)

    async def list_networks(self) -> list[Network]:
        return await (await self._runtime()).list_networks()

    async def remove_network(self, name: str) -> None:
        await (await self._runtime()).remove_network(name)

    async def list_volumes(self, *, label: str) -> list[Volume]:
        return await (await self._runtime()).list_volumes(label=label)

    async def remove_volume(self, name: str) -> None:
        await (await self._runtime()).remove_volume(name)

    async def create_container(self, spec: ContainerSpec) -> Container:
        return await (await self._runtime()).create_container(spec)

    async def start_container(self, name: str) -> None:
        await (await self._runtime()).start_container(name)

    async def stop_container(self, name: str, *, grace_seconds: float) -> None:
        await (await self._runtime()).stop_container(name, grace_seconds=grace_seconds)

    async def rename_container(self, name: str, new_name: str) -> None:
        await (await self._runtime()).rename_container(name, new_name)

    async def remove_container(self, name: str) -> None:
        await (await self._runtime()).remove_container(name)

    async def find_container(self, name: str) -> Container | None:
        return await (await self._runtime()).find_container(name)

    async def list_containers(self, *, label: str) -> list[Container]:
        return await (await self._runtime()).list_containers(label=label)

    async def events(self, *, label: str) -> AsyncGenerator[EngineEvent, None]:
        async with aclosing((await self._runtime()).events(label=label)) as events:
            async for event in events:
                yield event

    async def logs(
        self, name: str, *, tail: int | None, since: datetime | None, follow: bool
    ) -> AsyncGenerator[LogChunk, None]:
        async with aclosing((await self._runtime()).logs(name, tail=tail, since=since, follow=follow)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def stats(self, name: str) -> Stats:
        return await (await self._runtime()).stats(name)

    async def disk_use(self, name: str) -> DiskUse:
        return await (await self._runtime()).disk_use(name)

    async def disk_space(self) -> DiskSpace | None:
        return await (await self._runtime()).disk_space()

    async def exec(self, name: str, spec: ExecSpec) -> Exec:
        return await (await self._runtime()).exec(name, spec)

    async def files(self, name: str, asked: FileRequest) -> FileWork:
        return await (await self._runtime()).files(name, asked)

    async def connect_port(self, name: str, port: int) -> PortConnection:
        return await (await self._runtime()).connect_port(name, port)

    async def listening_ports(self, name: str) -> Sequence[ListeningPort] | None:
        return await (await self._runtime()).listening_ports(name)

    async def put_file(self, name: str, path: str, content: bytes, *, mode: int = 0o644) -> None:
        await (await self._runtime()).put_file(name, path, content, mode=mode)

    async def aclose(self) -> None:
        if self._connected is not None:
            await self._connected.aclose()
