"""A Docker daemon of our own that may be killed: in its own network namespace, with its own directories and cgroup."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import aiodocker
import psutil
from tests.chaos.namespaces import Namespace, lone_namespace
from tests.fixtures.processes import Program
from tests.fixtures.waiting import wait_until

from spunto_agent.worker_image import engine_api

_READY_SECONDS = 30.0
BUSYBOX = "localhost/spunto/busybox:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateEngine:
    """`cgroup` holds the processes of its containers and nobody else's."""

    program: Program
    directory: Path
    cgroup: str

    @property
    def url(self) -> str:
        return f"unix://{self.directory}/sock"

    def start(self) -> None:
        # They name processes that were killed, and a pid is soon somebody else's.
        for stale in (self.directory / "pid", self.directory / "exec/containerd/containerd.pid"):
            stale.unlink(missing_ok=True)
        self.program.start()

    @property
    def is_running(self) -> bool:
        return self.program.is_running

    def kill(self) -> None:
        """SIGKILL to the daemon alone; its containerd dies with it, shims and containers live on."""
        self.program.kill()

    @property
    def answers(self) -> bool:
        return _api("find", "docker", self.url).returncode == 0

    async def ready(self) -> None:
        await asyncio.to_thread(
            wait_until, lambda: self.answers, seconds=_READY_SECONDS, what=f"the engine\n{self.program.tail()}"
        )

    def processes(self) -> "Processes":
        """What runs for its containers, by pid: the container's id."""
        inside = containers_with_processes(self.cgroup)
        unstarted = {pid: owner for pid, owner in inside.items() if _command_of(pid)[:2] == ["runc", "init"]}
        workers = {pid: owner for pid, owner in inside.items() if pid not in unstarted}
        return Processes(workers=workers, engine={**self.shims(), **unstarted})

    def shims(self) -> dict[int, str]:
        """Processes that hold containers, by pid: the container's id."""
        socket = f"{self.directory}/exec/containerd/containerd.sock"
        found = {}
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if "-id" in command and socket in command:
                found[process.pid] = command[command.index("-id") + 1]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """`engine` are its own: shims, and runc before it becomes the container's first process."""

    workers: Mapping[int, str] = field(default_factory=dict)
    engine: Mapping[int, str] = field(default_factory=dict)


@asynccontextmanager
async def private_engine(directory: Path, *, image_from: str, live_restore: bool) -> AsyncIterator[PrivateEngine]:
    """A daemon that is up and has the busybox image of another engine; at the end nothing of it is left."""
    with lone_namespace() as namespace:
        engine = _engine(directory, namespace, live_restore=live_restore)
        try:
            engine.start()
            await engine.ready()
            await _copy_image(image_from, engine.url)
            yield engine
        finally:
            _clear_away(engine)


def _engine(directory: Path, namespace: Namespace, *, live_restore: bool) -> PrivateEngine:
    directory.mkdir(parents=True)
    cgroup = f"/spunto-chaos-{os.urandom(4).hex()}"
    command = (
        *namespace.inside, "dockerd",
        "--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec", "--pidfile", f"{directory}/pid",
        "--host", f"unix://{directory}/sock", "--cgroup-parent", cgroup, "--log-level", "warn",
        # User bridges work without these; the firewall of the namespace is nobody's concern.
        "--bridge=none", "--iptables=false", "--ip-masq=false",
        *(["--live-restore"] if live_restore else []),
    )  # fmt: skip
    program = Program(name="dockerd", command=command, environment={}, log=directory / "dockerd.log")
    return PrivateEngine(program=program, directory=directory, cgroup=cgroup)


async def _copy_image(source_url: str, target_url: str) -> None:
    async with aiodocker.Docker(source_url) as source, aiodocker.Docker(target_url) as target:
        async with source.images.export_image(BUSYBOX) as archive:
            content = await archive.read()
        async for answer in target.images.import_image(BytesIO(content), stream=True):
            assert "error" not in answer, answer


def _api(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["python3", engine_api.__file__, *arguments], check=False, capture_output=True, timeout=30)


def _clear_away(engine: PrivateEngine) -> None:
    """Also after a daemon that was killed, whose containers, mounts and cgroups nobody would take down."""
    engine.program.stop()
    for pid in (*engine.shims(), *(process.pid for process in processes_of(engine.cgroup))):
        with_pid_gone(pid)
    for mount in reversed(_mounts_below(engine.directory)):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True, timeout=30)
    for cgroup in Path("/sys/fs/cgroup").glob(f"*{engine.cgroup}"):
        _remove_cgroup(cgroup)
    _remove_cgroup(Path(f"/sys/fs/cgroup{engine.cgroup}"))
    shutil.rmtree(engine.directory / "data", ignore_errors=True)
    shutil.rmtree(engine.directory / "exec", ignore_errors=True)


def processes_of(cgroup: str) -> list[psutil.Process]:
    """Every process in the cgroup or below it, in whichever hierarchy."""
    return [process for process in psutil.process_iter() if cgroup in _cgroups_of(process.pid)]


def containers_with_processes(cgroup: str) -> dict[int, str]:
    """By pid, the id of the container whose cgroup the process is in."""
    found = {}
    for process in processes_of(cgroup):
        path = _cgroups_of(process.pid).partition(f"{cgroup}/")[2].splitlines()
        if path:
            found[process.pid] = path[0].partition("/")[0]
    return found


def with_pid_gone(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    except psutil.NoSuchProcess:
        return


def _cgroups_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""


def _command_of(pid: int) -> list[str]:
    try:
        return psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return []


def _mounts_below(directory: Path) -> list[str]:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [mount for mount in mounts if mount.startswith(f"{directory}/")]


def _remove_cgroup(directory: Path) -> None:
    """Bottom up; only directories can be removed there, and only empty ones."""
    if directory.is_dir():
        for below in sorted(directory.rglob("*"), reverse=True):
            if below.is_dir():
                below.rmdir()
        directory.rmdir()
