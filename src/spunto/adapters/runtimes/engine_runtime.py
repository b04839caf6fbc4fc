"""What Docker and Podman have in common as `ContainerRuntime`: idempotence and the meaning of refusals.

A refusal is understood by looking at what is there, not by its words: the engines disagree on status and message.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from spunto.adapters.runtimes import translate
from spunto.adapters.runtimes.disk_measure import DiskMeasure
from spunto.adapters.runtimes.engine_exec import EngineExec
from spunto.adapters.runtimes.engine_socket import EngineSocket, Refusal, Timeouts, json_lines
from spunto.adapters.runtimes.engine_streams import EngineStreams
from spunto.adapters.runtimes.exec_state import NOT_EXECUTABLE_CODE, ExecState
from spunto.adapters.runtimes.files import Files
from spunto.adapters.runtimes.ports import Ports
from spunto.adapters.runtimes.settling_in import SettlingIn
from spunto.core.executor.disk import DiskSpace, DiskUse
from spunto.core.executor.file_work import FileWork
from spunto.core.executor.listening_port import ListeningPort
from spunto.core.executor.port_connection import PortConnection
from spunto.core.executor.runtime import (
    CommandNotStarted,
    Container,
    ContainerGone,
    ContainerNotRunning,
    ContainerPaused,
    ContainerSpec,
    ContainerState,
    EngineInfo,
    Exec,
    ExecSpec,
    ImageNotFound,
    Network,
    Volume,
)
from spunto.core.kernel.errors import Conflict
from spunto.core.specs.files import FileRequest
from spunto.core.specs.image import why_no_image


class EngineRuntime(EngineStreams):
    """The port over an engine's primitives; these raise Refusal and EngineUnavailable only."""

    kind: ClassVar[str]
    exec_state: ClassVar[ExecState]

    def __init__(self, socket: EngineSocket, timeouts: Timeouts) -> None:
        super().__init__(socket, timeouts)
        self._settling_in = SettlingIn(socket)
        self._disk = DiskMeasure(socket)
        self._ports = Ports(socket)
        self._files = Files(socket)

    @property
    def url(self) -> str:
        return self._socket.url

    @abstractmethod
    async def info(self) -> EngineInfo: ...

    @abstractmethod
    async def has_image(self, image: str) -> bool: ...

    @abstractmethod
    async def list_networks(self) -> list[Network]: ...

    @abstractmethod
    async def list_volumes(self, *, label: str) -> list[Volume]: ...

    @abstractmethod
    async def _create_network(self, network: Network) -> None: ...

    @abstractmethod
    async def _connect_network(self, name: str, network: str) -> None: ...

    @abstractmethod
    async def _networks_of(self, name: str) -> frozenset[str]: ...

    @abstractmethod
    async def _remove_network(self, name: str) -> None: ...

    @abstractmethod
    async def _remove_volume(self, name: str) -> None: ...

    @abstractmethod
    async def _create_container(self, spec: ContainerSpec) -> None: ...

    @abstractmethod
    async def _start_container(self, name: str) -> None: ...

    @abstractmethod
    async def _stop_container(self, name: str, *, grace_seconds: int) -> None: ...

    @abstractmethod
    async def _rename_container(self, name: str, new_name: str) -> None: ...

    @abstractmethod
    async def _remove_container(self, name: str) -> None: ...

    @abstractmethod
    async def _inspect_container(self, name: str) -> Container: ...

    @abstractmethod
    async def _container_ids(self, *, label: str) -> list[str]: ...

    async def pull_image(self, image: str) -> None:
        _require_name(image)
        if await self.has_image(image):
            return
        # A registry's every failure ends here, the unreachable one too: without its answer there is no image.
        limit = self._timeouts.pull_seconds
        answer_limit = limit + self._timeouts.call_seconds
        params = {"fromImage": image if translate.has_tag(image) else f"{image}:latest"}
        try:
            async with (
                asyncio.timeout(limit),
                self._socket.stream("POST", "images/create", params=params, answer_seconds=answer_limit) as content,
            ):
                async for progress in json_lines(content.iter_any()):
                    if "error" in progress:
                        raise ImageNotFound(image, progress["error"].strip())
        except TimeoutError as error:
            raise ImageNotFound(image, f"the pull took longer than {limit:.0f} s") from error
        except Refusal as refusal:
            await self._socket.version()
            raise ImageNotFound(image, refusal.message) from refusal

    async def ensure_network(self, network: Network) -> None:
        try:
            await self._create_network(network)
        except Refusal as refusal:
            error = translate.network_verdict(network, await self.list_networks(), words=refusal.message)
            if error is not None:
                raise error from refusal

    async def connect_network(self, name: str, network: str) -> None:
        try:
            await self._connect_network(name, network)
        except Refusal as refusal:
            if await self.find_container(name) is None:
                raise ContainerGone(name) from refusal
            if network not in await self._networks_of(name):
                raise

    async def remove_network(self, name: str) -> None:
        try:
            await self._remove_network(name)
        except Refusal as refusal:
            if refusal.status != 404:
                raise

    async def remove_volume(self, name: str) -> None:
        try:
            await self._remove_volume(name)
        except Refusal as refusal:
            if refusal.status != 404:
                raise

    async def create_container(self, spec: ContainerSpec) -> Container:
        _require_name(spec.image)
        try:
            await self._create_container(spec)
        except Refusal as refusal:
            return await self._adopted(spec, refusal)
        created = await self.find_container(spec.name)
        if created is None:
            raise ContainerGone(spec.name)
        return created

    async def start_container(self, name: str) -> None:
        try:
            await self._settling_in.before_start(name)
            with self._ports.changing(name):
                await self._start_container(name)
        except Refusal as refusal:
            if await self.find_container(name) is None:
                raise ContainerGone(name) from refusal
            raise

    async def stop_container(self, name: str, *, grace_seconds: float) -> None:
        seconds = translate.whole_seconds(grace_seconds)
        try:
            with self._ports.changing(name):
                await self._stop_container(name, grace_seconds=seconds)
        except Refusal:
            found = await self.find_container(name)
            if found is not None and found.state is ContainerState.PAUSED:
                await self._socket.call("POST", f"containers/{name}/unpause", seconds=self._timeouts.start_seconds)
                with self._ports.changing(name):
                    await self._stop_container(name, grace_seconds=seconds)
            elif found is not None and found.state is ContainerState.RUNNING:
                raise

    async def rename_container(self, name: str, new_name: str) -> None:
        try:
            with self._ports.changing(name, new_name):
                await self._rename_container(name, new_name)
        except Refusal as refusal:
            named = await self.find_container(new_name)
            if await self.find_container(name) is None:
                if named is not None:
                    return
                raise ContainerGone(name) from refusal
            if named is None:
                raise
            message = f"There is another container {new_name!r} on the node."
            raise Conflict("container_name_taken", message, name=new_name) from refusal

    async def remove_container(self, name: str) -> None:
        try:
            with self._ports.changing(name):
                await self._remove_container(name)
        except Refusal:
            if await self.find_container(name) is not None:
                raise

    async def find_container(self, name: str) -> Container | None:
        try:
            return await self._inspect_container(name)
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise

    async def list_containers(self, *, label: str) -> list[Container]:
        container_ids = await self._container_ids(label=label)
        found = [await self.find_container(container_id) for container_id in container_ids]
        return sorted((container for container in found if container), key=lambda container: container.name)

    async def disk_use(self, name: str) -> DiskUse:
        return await self._disk.use(name)

    async def disk_space(self) -> DiskSpace | None:
        return await self._disk.space()

    async def exec(self, name: str, spec: ExecSpec) -> Exec:
        command = EngineExec(self._socket, self._timeouts, self.exec_state, container=name, spec=spec)
        try:
            await command.start()
        except Refusal as refusal:
            found = await self.find_container(name)
            if found is None:
                raise ContainerGone(name) from refusal
            if found.state is ContainerState.PAUSED:
                raise ContainerPaused(name) from refusal
            if found.state is not ContainerState.RUNNING:
                raise ContainerNotRunning(name) from refusal
            # Of a running container's commands, engines refuse to make those of a user that it doesn't have.
            raise CommandNotStarted(refusal.message, exit_code=NOT_EXECUTABLE_CODE) from refusal
        return command

    async def files(self, name: str, asked: FileRequest) -> FileWork:
        return await self._files.begin(name, asked)

    async def connect_port(self, name: str, port: int) -> PortConnection:
        return await self._ports.connect(name, port)

    async def listening_ports(self, name: str) -> Sequence[ListeningPort] | None:
        return await self._ports.listening(name)

    async def aclose(self) -> None:
        self._ports.close()
        await super().aclose()

    def _with_reach(self, info: EngineInfo) -> EngineInfo:
        return replace(info, posture={**info.posture, "loopback_ports": self._ports.include_loopback})

    async def _adopted(self, spec: ContainerSpec, refusal: Refusal) -> Container:
        found = await self.find_container(spec.name)
        if found is not None:
            if translate.has_labels(found.labels, spec.labels):
                return found
            message = f"There is another container {spec.name!r} on the node."
            raise Conflict("container_name_taken", message, name=spec.name) from refusal
        if not await self.has_image(spec.image):
            raise ImageNotFound(spec.image, refusal.message) from refusal
        raise refusal


def _require_name(image: str) -> None:
    """What is no name would be taken for another path of the engine's API. Raises ImageNotFound."""
    reason = why_no_image(image)
    if reason is not None:
        raise ImageNotFound(image, f"it {reason}")
