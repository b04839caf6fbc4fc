"""Real processes and databases for benchmarks: a server, an agent, an empty Postgres database."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.fixtures.scripts import answer_of
from tests.integration.journeys.boxes import cleared_away

READY_SECONDS = 30.0
BUSYBOX = "localhost/spunto/busybox:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server process of one box."""

    url: str
    data_dir: Path
    pid: int

    @property
    def token(self) -> str:
        return (self.data_dir / "owner.token").read_text().strip()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of an empty database of its own."""
    maintenance = make_url(answer_of("postgres"))
    name = f"bench_{uuid.uuid4().hex}"
    asyncio.run(_execute(str(maintenance), f"CREATE DATABASE {name}"))
    try:
        yield maintenance.set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_execute(str(maintenance), f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def server(
    *, database_url: str | None = None, module: str = "spunto.entrypoints.serve", rate_limits: str = "off"
) -> Iterator[Server]:
    """`spunto serve --box`, or another module in its place, on a free port and a data directory of its own."""
    with tempfile.TemporaryDirectory(prefix="spunto-bench-") as folder:
        port = free_port()
        environment = {
            "SPUNTO_PORT": str(port),
            "SPUNTO_DATA_DIR": folder,
            "SPUNTO_LOG_LEVEL": "error",
            "SPUNTO_RATE_LIMITS": rate_limits,
        }
        if database_url is not None:
            environment["SPUNTO_DATABASE_URL"] = database_url
        url = f"http://127.0.0.1:{port}"
        with process(module, "--box", environment=environment) as pid:
            wait_until_ready(url)
            yield Server(url=url, data_dir=Path(folder), pid=pid)


@contextmanager
def box() -> Iterator[Server]:
    """`spunto up` on a free port and a data directory of its own: `url` is its front door, `pid` its supervisor's."""
    with tempfile.TemporaryDirectory(prefix="spunto-bench-") as folder:
        port = free_port()
        environment = {
            "DOCKER_HOST": answer_of("engine", "docker"),
            "SPUNTO_RATE_LIMITS": "off",
            "SPUNTO_LOG_LEVEL": "error",
        }
        command = [str(Path(sys.executable).with_name("spunto")), "up", "--port", str(port), "--data-dir", folder]
        with (
            cleared_away(environment["DOCKER_HOST"], Path(folder) / "agent" / "token"),
            program(command, environment, end_seconds=30) as pid,
        ):
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url)
            yield Server(url=url, data_dir=Path(folder), pid=pid)


@contextmanager
def agent(of: Server, *, engine: str = "docker") -> Iterator[int]:
    """An agent of the box's own node, online; its pid."""
    environment = {
        "SPUNTO_AGENT_SERVER_URL": of.url,
        "SPUNTO_AGENT_TOKEN_FILE": str(of.data_dir / "agent" / "token"),
        "SPUNTO_AGENT_DATA_DIR": str(of.data_dir / "agent"),
        "SPUNTO_AGENT_ENGINE": engine,
        "SPUNTO_AGENT_ENGINE_URL": answer_of("engine", engine),
    }
    with process("spunto_agent", environment=environment) as pid, httpx.Client(headers=of.headers) as client:
        org_id = organization(client, of)
        deadline = time.monotonic() + READY_SECONDS
        while client.get(f"{of.url}/api/orgs/{org_id}/nodes").json()["items"][0]["status"] != "online":
            assert time.monotonic() < deadline, "the agent did not come online"
            time.sleep(0.05)
        yield pid


@contextmanager
def process(module: str, *arguments: str, environment: Mapping[str, str]) -> Iterator[int]:
    """A Python module run as a process."""
    with program([sys.executable, "-m", module, *arguments], environment) as pid:
        yield pid


@contextmanager
def program(command: Sequence[str], environment: Mapping[str, str], *, end_seconds: float = 10) -> Iterator[int]:
    """Its pid; ended by SIGTERM, and by SIGKILL where that does not do in time."""
    running = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        yield running.pid
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(end_seconds)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            if httpx.get(f"{url}/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the server did not become ready"
        time.sleep(0.02)


def organization(client: httpx.Client, of: Server) -> str:
    org_id: str = client.get(f"{of.url}/api/orgs").json()["items"][0]["id"]
    return org_id


def busy_seconds(pid: int) -> float:
    """How long the process has kept a core busy so far."""
    times = psutil.Process(pid).cpu_times()
    busy: float = times.user + times.system
    return busy


def resident_bytes(pid: int) -> int:
    resident: int = psutil.Process(pid).memory_info().rss
    return resident


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def _execute(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()
