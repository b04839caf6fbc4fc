"""A container engine in memory that can be scripted to fail: `ContainerRuntime` for the harness and for tests."""

import asyncio
import ipaddress
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from spunto.adapters.memory.runtime_commands import BUILT_IN, Command, Files
from spunto.adapters.memory.runtime_events import FakeEvents, carries
from spunto.adapters.memory.runtime_ports import PortHandler
from spunto.adapters.memory.runtime_processes import (
    KILLED,
    TERMINATED,
    FakeContainer,
    FakeLog,
    main_process,
)
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
    EngineEvent,
    EngineInfo,
    EngineRefused,
    EngineUnavailable,
    Exec,
    ExecSpec,
    ImageNotFound,
    LogChunk,
    Network,
    Stats,
    SubnetTaken,
    Volume,
)
from spunto.core.kernel.errors import Conflict, SpuntoError
from spunto.core.specs.files import FileRequest


def utc_now() -> datetime:
    return datetime.now(UTC)


class FakeRuntime:
    """Keeps images, networks, volumes and containers; the methods without `async` and those at the end are the script.

    `commands` extends what `exec` and containers can run; `published` are images that a pull finds at the registry.
    `disk` is what it says of the disk, whatever is written; without `sees_processes` it can't tell who listens.
    """

    def __init__(
        self,
        *,
        images: Iterable[str] = (),
        published: Iterable[str] = (),
        commands: Mapping[str, Command] | None = None,
        cpu_millis: int = 8_000,
        memory_bytes: int = 16 * 1024**3,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.images = set(images)
        self.published = set(published)
        self.pull_begun = asyncio.Event()
        self._pulls_go_on = asyncio.Event()
        self._pulls_go_on.set()
        self.disk: DiskSpace | None = DiskSpace(total_bytes=256 * 1024**3, free_bytes=200 * 1024**3)
        self.sees_processes = True
        self._commands = {**BUILT_IN, **(commands or {})}
        self._cpu_millis = cpu_millis
        self._memory_bytes = memory_bytes
        self._now = now
        self._networks: dict[str, Network] = {}
        self._volumes: dict[str, dict[str, bytes]] = {}
        self._volume_labels: dict[str, Mapping[str, str]] = {}
        self._containers: dict[str, FakeContainer] = {}
        self._faults: defaultdict[str, deque[SpuntoError]] = defaultdict(deque)
        self._events = FakeEvents()
        self._count = 0
        self._down = False

    async def info(self) -> EngineInfo:
        await self._enter("info")
        return EngineInfo(
            engine="fake",
            version="1",
            cpu_millis=self._cpu_millis,
            memory_bytes=self._memory_bytes,
            posture={"rootless": True, "seccomp": True, "cgroup_version": "2"},
        )

    async def has_image(self, image: str) -> bool:
        await self._enter("has_image")
        return image in self.images

    async def pull_image(self, image: str) -> None:
        await self._enter("pull_image")
        if image in self.images:
            return
        self.pull_begun.set()
        await self._pulls_go_on.wait()
        await self._enter("pull_image")
        if image not in self.published:
            raise ImageNotFound(image, "manifest unknown")
        self.images.add(image)

    async def ensure_network(self, network: Network) -> None:
        await self._enter("ensure_network")
        existing = self._networks.get(network.name)
        if existing is not None:
            if not network.labels.items() <= existing.labels.items():
                raise Conflict("network_name_taken", f"Network {network.name!r} is not ours.", name=network.name)
            return
        subnet = ipaddress.ip_network(network.subnet)
        if any(subnet.overlaps(ipaddress.ip_network(other.subnet)) for other in self._networks.values()):
            raise SubnetTaken(network.subnet)
        self._networks[network.name] = network

    async def connect_network(self, name: str, network: str) -> None:
        await self._enter("connect_network")
        container = self._require(name)
        if network not in self._networks:
            raise EngineRefused(f"network {network} not found")
        container.networks.add(network)

    async def list_networks(self) -> list[Network]:
        await self._enter("list_networks")
        return list(self._networks.values())

    async def remove_network(self, name: str) -> None:
        await self._enter("remove_network")
        users = (container for container in self._containers.values() if name in container.networks)
        if any(container.has_processes for container in users):
            raise EngineRefused(f"network {name} has active endpoints")
        self._networks.pop(name, None)

    async def list_volumes(self, *, label: str) -> list[Volume]:
        await self._enter("list_volumes")
        volumes = (Volume(name=name, labels=self._volume_labels[name]) for name in sorted(self._volumes))
        return [volume for volume in volumes if carries(volume.labels, label)]

    async def remove_volume(self, name: str) -> None:
        await self._enter("remove_volume")
        mounts = (mount for container in self._containers.values() for mount in container.spec.mounts)
        if any(mount.volume == name for mount in mounts):
            raise EngineRefused(f"volume {name} is in use")
        self._volumes.pop(name, None)
        self._volume_labels.pop(name, None)

    async def create_container(self, spec: ContainerSpec) -> Container:
        await self._enter("create_container")
        existing = self._containers.get(spec.name)
        if existing is not None:
            if not spec.labels.items() <= existing.spec.labels.items():
                message = f"There is another container {spec.name!r} on the node."
                raise Conflict("container_name_taken", message, name=spec.name)
            return existing.view()
        if spec.image not in self.images:
            raise ImageNotFound(spec.image, f"No such image: {spec.image}")
        if any("/" in mount.volume for mount in spec.mounts):
            raise EngineRefused("a volume's name is no path")
        self._count += 1
        for mount in spec.mounts:
            self._volume_labels.setdefault(mount.volume, spec.labels)
        volumes = {mount.path: self._volumes.setdefault(mount.volume, {}) for mount in spec.mounts}
        container = FakeContainer(f"{self._count:064x}", spec, files=Files(volumes=volumes), log=FakeLog(self._now))
        self._containers[spec.name] = container
        self._announce(container, "create")
        return container.view()

    async def start_container(self, name: str) -> None:
        await self._enter("start_container")
        container = self._require(name)
        if container.has_processes:
            return
        spec = container.spec
        if spec.network not in self._networks:
            raise EngineRefused(f"network {spec.network} not found")
        container.state, container.started_at = ContainerState.RUNNING, self._now()
        container.finished_at, container.exit_code, container.oom_killed = None, None, False
        container.main = main_process(
            container, commands=self._commands, ended=lambda code: self._exited(container, code)
        )
        self._announce(container, "start")

    async def stop_container(self, name: str, *, grace_seconds: float) -> None:
        await self._enter("stop_container")
        container = self._containers.get(name)
        if container is not None:
            await self._end(container, TERMINATED if grace_seconds > 0 else KILLED)

    async def rename_container(self, name: str, new_name: str) -> None:
        await self._enter("rename_container")
        if name not in self._containers and new_name in self._containers:
            return
        if new_name in self._containers:
            raise Conflict("container_name_taken", f"There is another container {new_name!r}.", name=new_name)
        self.rename_by_hand(self._require(name).name, new_name)

    async def remove_container(self, name: str) -> None:
        await self._enter("remove_container")
        await self.remove_by_hand(name)

    async def find_container(self, name: str) -> Container | None:
        await self._enter("find_container")
        container = self._containers.get(name)
        return container.view() if container else None

    async def list_containers(self, *, label: str) -> list[Container]:
        await self._enter("list_containers")
        found = [container.view() for container in self._containers.values() if carries(container.spec.labels, label)]
        return sorted(found, key=lambda container: container.name)

    def events(self, *, label: str) -> AsyncGenerator[EngineEvent, None]:
        return self._events.heard(self._events.subscribe(), label=label, enter=partial(self._enter, "events"))

    async def logs(
        self, name: str, *, tail: int | None, since: datetime | None, follow: bool
    ) -> AsyncGenerator[LogChunk, None]:
        await self._enter("logs")
        container = self._require(name)
        lines = [line for line in container.log.lines if since is None or line[1].at >= since]
        seen = container.log.lines[-1][0] if container.log.lines else -1
        for _, chunk in lines if tail is None else lines[max(len(lines) - tail, 0) :]:
            yield chunk
        while follow:
            running = container.has_processes
            for number, chunk in container.log.after(seen):
                seen = number
                yield chunk
            if not running:
                return
            if not container.log.after(seen) and container.has_processes:
                await container.log.changed()
            self._require_up()

    async def stats(self, name: str) -> Stats:
        await self._enter("stats")
        return self._require_running(name).stats(at=self._now())

    async def disk_use(self, name: str) -> DiskUse:
        await self._enter("disk_use")
        return self._require(name).disk_use()

    async def disk_space(self) -> DiskSpace | None:
        await self._enter("disk_space")
        return self.disk

    async def exec(self, name: str, spec: ExecSpec) -> Exec:
        await self._enter("exec")
        container = self._require_running(name)
        if container.state is ContainerState.PAUSED:
            raise ContainerPaused(name)
        self._require_command(spec.command)
        return container.exec(spec, commands=self._commands)

    async def files(self, name: str, asked: FileRequest) -> FileWork:
        await self._enter("files")
        return self._require_running(name).work_on_files(asked, at=self._now())

    async def connect_port(self, name: str, port: int) -> PortConnection:
        await self._enter("connect_port")
        return self._require_running(name).ports.connect(port)

    async def listening_ports(self, name: str) -> Sequence[ListeningPort] | None:
        await self._enter("listening_ports")
        container = self._require_running(name)
        return container.ports.listening() if self.sees_processes else None

    async def put_file(self, name: str, path: str, content: bytes, *, mode: int = 0o644) -> None:
        await self._enter("put_file")
        self._require(name).files.write(path, content)

    async def aclose(self) -> None:
        for container in self._containers.values():
            await self._end(container, KILLED)

    # The script.

    def hold_pulls(self) -> None:
        """Pulls begin (`pull_begun` is set) and wait until `release_pulls`."""
        self.pull_begun.clear()
        self._pulls_go_on.clear()

    def release_pulls(self) -> None:
        self._pulls_go_on.set()

    def fail_next(self, method: str, error: SpuntoError) -> None:
        """The next call of the method raises the error and does nothing; several stand in a queue."""
        self._faults[method].append(error)

    async def break_engine(self) -> None:
        """The daemon goes: containers run on, all calls and streams fail until `mend_engine`."""
        self._down = True
        self._events.end()
        for container in self._containers.values():
            container.log.wake()
            for command in container.execs:
                await command.kill(None)

    def mend_engine(self) -> None:
        self._down = False

    async def remove_by_hand(self, name: str) -> None:
        """Somebody removes the container behind our back; a missing one is success."""
        container = self._containers.get(name)
        if container is not None:
            await self._end(container, KILLED)
            if self._containers.pop(name, None) is not None:
                self._announce(container, "destroy")

    def pause_by_hand(self, name: str) -> None:
        """Somebody pauses the container behind our back."""
        container = self._require_running(name)
        container.state = ContainerState.PAUSED
        self._announce(container, "pause")

    def unpause_by_hand(self, name: str) -> None:
        container = self._require_running(name)
        container.state = ContainerState.RUNNING
        self._announce(container, "unpause")

    def rename_by_hand(self, name: str, new_name: str) -> None:
        """Somebody renames the container behind our back."""
        container = self._containers[new_name] = self._containers.pop(name)
        container.name = new_name
        self._announce(container, "rename")

    async def exit_container(self, name: str, code: int, *, oom_killed: bool = False) -> None:
        """The container's process ends by itself, or for want of memory."""
        container = self._require(name)
        container.oom_killed = oom_killed
        if oom_killed:
            self._announce(container, "oom")
        await self._end(container, code)

    def serve_port(
        self, name: str, port: int, handler: PortHandler, *, address: str = "0.0.0.0", process: str = "program"
    ) -> None:
        """The container listens on the port until it ends; the handler is called for each connection."""
        listening = ListeningPort(port=port, address=address, process=process)
        self._require_running(name).ports.listen(listening, handler)

    async def write_log(self, name: str, line: str) -> None:
        await self._require(name).log.write("stdout", f"{line}\n".encode())

    async def _enter(self, method: str) -> None:
        await asyncio.sleep(0)  # a real engine answers later, too: let others run in between
        self._require_up()
        if self._faults[method]:
            raise self._faults[method].popleft()

    def _require_up(self) -> None:
        if self._down:
            raise EngineUnavailable("connection refused")

    def _require(self, name: str) -> FakeContainer:
        container = self._containers.get(name)
        if container is None:
            raise ContainerGone(name)
        return container

    def _require_running(self, name: str) -> FakeContainer:
        container = self._require(name)
        if not container.has_processes:
            raise ContainerNotRunning(name)
        return container

    def _require_command(self, command: Sequence[str]) -> None:
        if command and command[0].rpartition("/")[2] not in self._commands:
            message = f'exec: "{command[0]}": executable file not found in $PATH'
            raise CommandNotStarted(message, exit_code=127)

    async def _end(self, container: FakeContainer, code: int) -> None:
        if container.main is not None and container.has_processes:
            await container.main.kill()
            self._exited(container, code)
        for command in container.execs:
            await command.kill(KILLED)
        container.execs.clear()

    def _exited(self, container: FakeContainer, code: int) -> None:
        if not container.has_processes:
            return
        container.ports.end()
        container.state, container.exit_code, container.finished_at = ContainerState.EXITED, code, self._now()
        container.log.wake()
        self._announce(container, "die")

    def _announce(self, container: FakeContainer, action: str) -> None:
        self._events.announce(container.spec.labels, EngineEvent(name=container.name, action=action))
