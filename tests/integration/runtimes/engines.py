"""Engines that a test may kill, and registries that never answer."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from spunto.testing.contracts.container_lab import StalledImage

START_SECONDS = 60


class PrivateEngine:
    """A daemon of the test's own, which says over systemd's socket when it is ready."""

    def __init__(self, directory: Path, command: list[str], *, stale: Path | None = None) -> None:
        self._directory = directory
        self._command = command
        self._stale = stale
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        if self._stale is not None:
            self._stale.unlink(missing_ok=True)
        ready = _Ready()
        notify = self._directory / "notify"
        notify.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: ready, str(notify), family=socket.AF_UNIX)
        try:
            with (self._directory / "log").open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    # Podman's conmon leaves a file in its working directory when a container is out of memory.
                    cwd=self._directory,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "NOTIFY_SOCKET": str(notify)},
                )
            async with asyncio.timeout(START_SECONDS):
                await self._ready_or_gone(ready)
        finally:
            transport.close()

    async def _ready_or_gone(self, ready: "_Ready") -> None:
        assert self._process is not None
        waits = {asyncio.ensure_future(ready.said.wait()), asyncio.ensure_future(self._process.wait())}
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        assert self._process.returncode is None, (self._directory / "log").read_text()[-2000:]

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


class _Ready(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.said = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if b"READY=1" in data:
            self.said.set()


@contextmanager
def engine_directory() -> Iterator[Path]:
    """A short one, unlike pytest's: Podman takes no more than 50 characters."""
    with tempfile.TemporaryDirectory(prefix="spunto-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def private_docker(directory: Path) -> tuple[str, PrivateEngine]:
    """In namespaces of its own: in ours it would take the first daemon's bridge away, and leave mounts when killed."""
    url = f"unix://{directory}/sock"
    command = ["unshare", "--net", "--mount", "dockerd", f"--host={url}", f"--data-root={directory}/data"]
    command += [f"--exec-root={directory}/exec", f"--pidfile={directory}/pid", "--storage-driver=vfs"]
    command += ["--bridge=none", "--iptables=false", "--ip-masq=false"]
    return url, PrivateEngine(directory, command, stale=directory / "exec/containerd/containerd.pid")


def private_podman(directory: Path) -> tuple[str, PrivateEngine]:
    url = f"unix://{directory}/sock"
    command = [
        "podman",
        f"--root={directory}/data",
        f"--runroot={directory}/run",
        f"--tmpdir={directory}/tmp",
        "--storage-driver=vfs",
    ]
    command += ["system", "service", "--time=0", url]
    return url, PrivateEngine(directory, command, stale=directory / "sock")


@asynccontextmanager
async def stalled_registry() -> AsyncIterator[StalledImage]:
    """On loopback, where engines try plain HTTP as well; it takes connections and never says a word."""
    asked_for = asyncio.Event()
    open_ends: list[asyncio.StreamWriter] = []

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ends.append(writer)
        asked_for.set()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield StalledImage(name=f"127.0.0.1:{port}/spunto/stalled:1", asked_for=asked_for)
        server.close()
        for writer in open_ends:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
