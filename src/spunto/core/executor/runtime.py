"""The container engine as a node sees it: values and the port that Docker, Podman and the fake implement.

Everything is addressed by name, because names are deterministic: a repeated call finds what an earlier one made.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from spunto.core.executor.disk import DiskSpace, DiskUse
from spunto.core.executor.file_work import FileWork
from spunto.core.executor.listening_port import ListeningPort
from spunto.core.executor.port_connection import PortConnection
from spunto.core.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from spunto.core.specs.files import FileRequest


class ContainerState(StrEnum):
    """What the engine says of a container. A paused one has its processes, which get no time."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container as the engine lists or inspects it. `exit_code`, `finished_at`, `error` only when exited.

    `image` is the name that it was made by, which may mean another image by now; `image_id` stays.
    """

    container_id: str
    name: str
    state: ContainerState
    labels: Mapping[str, str]
    image: str = ""
    image_id: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A named local volume at a path of the container."""

    volume: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """A container on one network, with limits and the hardening profile for dev workers.

    The adapter adds the profile (capabilities, init, no published port, no restart, log rotation);
    none of it can be switched off by a spec.
    """

    name: str
    image: str
    network: str
    hostname: str
    labels: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: Sequence[str] = ()
    user: str | None = None
    working_dir: str | None = None
    mounts: Sequence[Mount] = ()
    cpu_millis: int
    memory_bytes: int
    pids: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A bridge network with its subnet in CIDR form."""

    name: str
    subnet: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A named local volume as the engine lists it."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What the engine says of itself and its machine; `posture` are facts such as rootless, seccomp, cgroup version."""

    engine: Literal["docker", "podman", "fake"]
    version: str
    cpu_millis: int
    memory_bytes: int
    posture: Mapping[str, str | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """One sample of a running container. `cpu_percent` is of one core, as `docker stats` shows it."""

    cpu_percent: float
    memory_bytes: int
    memory_limit_bytes: int
    pids: int
    network_rx_bytes: int
    network_tx_bytes: int
    block_read_bytes: int
    block_write_bytes: int
    sampled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """A line of a container's log without its end; of one over 64 KiB the beginning, with a mark that says how much
    of it is missing."""

    at: datetime
    stream: Literal["stdout", "stderr"]
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSpec:
    """A command to run in a container. With `tty` there is one output stream; `cols` and `rows` are its first size."""

    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str | None = None
    user: str | None = None
    tty: bool = False
    cols: int = 80
    rows: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEvent:
    """Something happened to a labelled container: `name` is the container's, `action` is Docker's word for it."""

    name: str
    action: str


class EngineUnavailable(Unavailable):
    """The engine does not answer: stopped, restarting, or its socket is gone. Every method may raise it."""

    def __init__(self, detail: str) -> None:
        super().__init__("engine_unavailable", f"The container engine of the node does not answer: {detail}")


class ImageNotFound(NotFound):
    """The image exists neither on the node nor at its registry; `message` carries the engine's own words."""

    def __init__(self, image: str, detail: str) -> None:
        super().__init__("image_not_found", f"Image {image!r} can't be had: {detail}", image=image)


class EngineRefused(Invalid):
    """The engine answered that it won't: `message` carries its own words. A repeat would get the same answer."""

    def __init__(self, detail: str) -> None:
        super().__init__("engine_refused", detail)


class CommandNotStarted(EngineRefused):
    """A running container can't run the command; `exit_code` is what a shell gives for that, 127 (not there) or 126."""

    def __init__(self, detail: str, *, exit_code: int) -> None:
        super().__init__(detail)
        self.exit_code = exit_code


class SubnetTaken(Conflict):
    """The subnet overlaps with a network that is there already."""

    def __init__(self, subnet: str) -> None:
        super().__init__("subnet_taken", f"Subnet {subnet} is in use on the node.", subnet=subnet)


class ContainerGone(NotFound):
    """The container is not there (any more)."""

    def __init__(self, name: str) -> None:
        super().__init__("container_not_found", f"There is no container {name!r} on the node.", name=name)


class ContainerNotRunning(Conflict):
    """The container is there but does not run."""

    def __init__(self, name: str) -> None:
        super().__init__("worker_not_running", f"Container {name!r} does not run.", name=name)


class DiskNotMeasured(Unavailable):
    """What the container takes of the disk could not be told in time; a later look may."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__("disk_not_measured", f"What {name!r} takes of the disk can't be told: {detail}")


class ContainerPaused(Conflict):
    """Somebody paused the container: nothing in it can be begun, or comes to an end."""

    def __init__(self, name: str) -> None:
        super().__init__("worker_paused", f"Container {name!r} is paused.", name=name)


class Exec(Protocol):
    """A command under way in a container. Closing it ends its streams, and with a tty hangs its terminal up."""

    async def read(self) -> tuple[Literal["stdout", "stderr"], bytes] | None:
        """The next output as it comes, at most 64 KiB; None at the end. Slow reading slows the command."""

    async def write(self, data: bytes) -> None:
        """Send to the command's standard input, as fast as it reads; a command that has ended ignores it."""

    async def write_eof(self) -> None:
        """Close the command's standard input (with a tty: type its end-of-file character). Repeating is harmless."""

    async def resize(self, *, cols: int, rows: int) -> None:
        """Set the terminal's size; ignored after the command's end."""

    async def exit_code(self) -> int:
        """Wait for the end of the command; valid after `read` gave None."""

    async def kill_tree(self) -> None:
        """SIGKILL to the command and to what it has started, whoever that runs as.

        Nothing is done where the engine's machine does not let its processes be seen. Repeating is harmless.
        """

    async def aclose(self) -> None:
        """Let go of the command. Repeating is harmless."""


class ContainerRuntime(Protocol):
    """A container engine. Every method may raise EngineUnavailable; a cancelled one leaves nothing unlabelled."""

    async def info(self) -> EngineInfo: ...

    async def has_image(self, image: str) -> bool: ...

    async def pull_image(self, image: str) -> None:
        """Fetch the image. A repeat or a pull of a present local image costs little. Raises ImageNotFound."""

    async def ensure_network(self, network: Network) -> None:
        """Make the bridge; one of that name with our labels counts as made. Raises SubnetTaken, EngineRefused."""

    async def connect_network(self, name: str, network: str) -> None:
        """Attach the container to one more network; an attached one is success. Raises ContainerGone, EngineRefused."""

    async def list_networks(self) -> list[Network]:
        """All networks of the engine that have an IPv4 subnet, ours (by label) and foreign."""

    async def remove_network(self, name: str) -> None:
        """Remove the network; a missing one is success."""

    async def list_volumes(self, *, label: str) -> list[Volume]:
        """All named volumes that carry the label (`key=value`)."""

    async def remove_volume(self, name: str) -> None:
        """Remove the named volume; a missing one is success."""

    async def create_container(self, spec: ContainerSpec) -> Container:
        """Make the container, not started; one of that name whose labels are equal is adopted.

        Raises ImageNotFound (never pulls), EngineRefused, and Conflict `container_name_taken` where a container of
        that name has other labels.
        """

    async def start_container(self, name: str) -> None:
        """Start it; a running one is success. Raises ContainerGone, EngineRefused (its words, e.g. a missing network).

        A command that does not exist is no refusal: the container's init ends at once and its log says why.
        """

    async def stop_container(self, name: str, *, grace_seconds: float) -> None:
        """SIGTERM, then after the grace SIGKILL; a stopped or missing one is success. Returns when it has stopped.

        A paused one goes on for that.
        """

    async def rename_container(self, name: str, new_name: str) -> None:
        """Give it another name, running or not; one that bears it already is success.

        Raises ContainerGone, and Conflict `container_name_taken` where another container has the new name.
        """

    async def remove_container(self, name: str) -> None:
        """Kill and remove it with its anonymous volumes; a missing one is success."""

    async def find_container(self, name: str) -> Container | None: ...

    async def list_containers(self, *, label: str) -> list[Container]:
        """All containers, running or not, that carry the label (`key` or `key=value`)."""

    def events(self, *, label: str) -> AsyncGenerator[EngineEvent, None]:
        """Events (create, start, die, oom, destroy, rename, pause, unpause) of labelled containers from now on.

        Ends by raising EngineUnavailable; the caller re-lists and subscribes again. Close it to end it earlier.
        """

    def logs(
        self, name: str, *, tail: int | None, since: datetime | None, follow: bool
    ) -> AsyncGenerator[LogChunk, None]:
        """The container's log, oldest first; with `follow` until the container stops. `tail` counts whole lines.

        Of what was written before the call, at most the newest 8 MiB. Raises ContainerGone.
        """

    async def stats(self, name: str) -> Stats:
        """One sample, within about a second. Raises ContainerGone, ContainerNotRunning."""

    async def disk_use(self, name: str) -> DiskUse:
        """What the container takes of the disk now, running or not, by its own files and those in its named volumes.

        It reads every directory, in up to two minutes. Raises ContainerGone, DiskNotMeasured.
        """

    async def disk_space(self) -> DiskSpace | None:
        """The disk on which the engine keeps all that; None where it can't be looked at from here. It costs nothing."""

    async def exec(self, name: str, spec: ExecSpec) -> Exec:
        """Run a command in the container.

        Raises ContainerGone, ContainerNotRunning, ContainerPaused, and CommandNotStarted for no such command,
        directory or user.
        """

    async def files(self, name: str, asked: FileRequest) -> FileWork:
        """Begin to do something with the files of a running container, as its own user and by its own paths: no link
        leads out of it.

        Raises ContainerGone, ContainerNotRunning, ContainerPaused, FilesOutOfReach.
        """

    async def connect_port(self, name: str, port: int) -> PortConnection:
        """Connect to a TCP port of the container: on its loopback, then on its own address. May take its time.

        Raises ContainerGone, ContainerNotRunning, PortRefused, PortUnreachable.
        """

    async def listening_ports(self, name: str) -> Sequence[ListeningPort] | None:
        """What listens for TCP in the container now, by port; no command runs there for it, and the engine's own DNS
        is left out. None where the machine's processes can't be looked at from here.

        Raises ContainerGone, ContainerNotRunning.
        """

    async def put_file(self, name: str, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """Write a small file into the container's file system, running or not. Raises ContainerGone."""

    async def aclose(self) -> None: ...
