"""`spunto up`: one box: a server, an edge before it, an agent beside it and what holds terminals, each a process."""

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from spunto.entrypoints.box.places import edge_token_file, holder_directory, node_token_file, server_socket
from spunto.entrypoints.box.supervisor import Program, ProgramFailed, keep_running
from spunto.entrypoints.serving.data_directory import make_data_dir
from spunto.entrypoints.serving.failures import EXIT_CONFIG, ended, told
from spunto.entrypoints.serving.listening import listening_on
from spunto.entrypoints.serving.local_urls import local_url, peoples_url
from spunto.entrypoints.serving.settings import DEFAULT_WORKER_IMAGE, Settings

_PROBE_SECONDS = 1.0


def run(*, host: str, port: int, data_dir: Path, engine: str, demo: bool) -> int:
    """Run the box until a signal; the exit code."""
    data_dir = data_dir.resolve()
    refused = ended(Settings) or ended(lambda: make_data_dir(data_dir)) or ended(lambda: _require_free(host, port))
    refused = refused or (ended(lambda: _ensure_worker_image(engine)) if demo else 0)
    if refused:
        return refused
    try:
        with _lock(data_dir):
            return asyncio.run(_supervise(_programs(host, port, data_dir, engine, demo=demo)))
    except BlockingIOError:
        return told(f"another `spunto up` runs on {data_dir}; stop it, or take another --data-dir", EXIT_CONFIG)


def _programs(host: str, port: int, data_dir: Path, engine: str, *, demo: bool) -> list[Program]:
    socket_path, edge_url = server_socket(data_dir), local_url(host, port)
    node_token, edge_token = node_token_file(data_dir), edge_token_file(data_dir)
    server = Program(
        name="server",
        command=[
            sys.executable,
            "-m",
            "spunto.entrypoints.serve",
            "--box",
            "--await-node",
            *(["--demo"] if demo else []),
        ],
        environment={
            "SPUNTO_HOST": host,
            "SPUNTO_PORT": str(port),
            "SPUNTO_DATA_DIR": str(data_dir),
            "SPUNTO_SOCKET": str(socket_path),
            **_public_url(host, port),
        },
    )
    edge = Program(
        name="edge",
        command=[sys.executable, "-m", "spunto.entrypoints.edge.main"],
        # Before that it would only complain.
        may_begin=lambda: edge_token.exists() and _listens(socket_path),
        environment={
            "SPUNTO_EDGE_HOST": host,
            "SPUNTO_EDGE_PORT": str(port),
            "SPUNTO_EDGE_SERVER": f"unix:{socket_path}",
            "SPUNTO_EDGE_URL": edge_url,
            "SPUNTO_EDGE_TOKEN_FILE": str(edge_token),
        },
    )
    agent = Program(
        name="agent",
        command=[sys.executable, "-m", "spunto_agent"],
        may_begin=lambda: node_token.exists() and _listens(socket_path),
        environment={
            # Past the edge, so that its restart takes no node offline.
            "SPUNTO_AGENT_SERVER_URL": f"unix:{socket_path}",
            "SPUNTO_AGENT_EDGE_HOSTS": urlsplit(edge_url).hostname or "",
            "SPUNTO_AGENT_TOKEN_FILE": str(node_token),
            "SPUNTO_AGENT_DATA_DIR": str(data_dir / "agent"),
            "SPUNTO_AGENT_ENGINE": engine,
            "SPUNTO_AGENT_STARTS_HOLDER": "false",
        },
    )
    # Beside the agent, so that its restart ends no terminal.
    holder = Program(
        name="holder", command=[sys.executable, "-m", "spunto_agent.holder", str(holder_directory(data_dir))]
    )
    return [server, edge, holder, agent]


def _public_url(host: str, port: int) -> dict[str, str]:
    """What people call a box, unless its owner said how it is reached."""
    url = peoples_url(host, port)
    return {} if url is None or Settings().public_url is not None else {"SPUNTO_PUBLIC_URL": url}


async def _supervise(programs: list[Program]) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    exit_code = 0
    try:
        async with asyncio.TaskGroup() as group:
            keeping = [group.create_task(keep_running(each), name=each.name) for each in programs]
            await stopping.wait()
            for task in keeping:
                task.cancel()
    except* ProgramFailed:
        exit_code = EXIT_CONFIG
    return exit_code


def _require_free(host: str, port: int) -> None:
    """Raises Invalid before anything is made; who takes the port after this moment is told by the edge."""
    with listening_on(host, port):
        pass


def _ensure_worker_image(engine: str) -> None:
    """So that the demo's worker has something to run. Where it can't be had the box starts all the same, and it is said
    why."""
    if Settings().worker_image == DEFAULT_WORKER_IMAGE:
        command = [sys.executable, "-m", "spunto_agent.worker_image", "--engine", engine]
        subprocess.run(command, stdin=subprocess.DEVNULL, check=False)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as trial:
        trial.settimeout(_PROBE_SECONDS)
        try:
            trial.connect(str(path))
        except OSError:
            return False
    return True


@contextmanager
def _lock(data_dir: Path) -> Iterator[None]:
    """One `spunto up` a data directory. Raises BlockingIOError where another has it."""
    descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
