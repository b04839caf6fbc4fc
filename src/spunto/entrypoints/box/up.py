"""`spunto up`: one box, with a server and an agent beside it as processes of their own."""

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

from spunto.entrypoints.box.places import node_token_file
from spunto.entrypoints.box.supervisor import Program, ProgramFailed, keep_running
from spunto.entrypoints.serving.data_directory import make_data_dir
from spunto.entrypoints.serving.failures import EXIT_CONFIG, ended, told
from spunto.entrypoints.serving.local_urls import local_url
from spunto.entrypoints.serving.settings import DEFAULT_WORKER_IMAGE, Settings

_PROBE_SECONDS = 1.0


def run(*, host: str, port: int, data_dir: Path, engine: str, demo: bool) -> int:
    """Run the box until a signal; the exit code."""
    data_dir = data_dir.resolve()
    refused = ended(lambda: make_data_dir(data_dir)) or (ended(lambda: _ensure_worker_image(engine)) if demo else 0)
    if refused:
        return refused
    try:
        with _lock(data_dir):
            return asyncio.run(_supervise(_programs(host, port, data_dir, engine, demo=demo)))
    except BlockingIOError:
        return told(f"another `spunto up` runs on {data_dir}; stop it, or take another --data-dir", EXIT_CONFIG)


def _programs(host: str, port: int, data_dir: Path, engine: str, *, demo: bool) -> list[Program]:
    server_url = local_url(host, port)
    token_file = node_token_file(data_dir)
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
        environment={"SPUNTO_HOST": host, "SPUNTO_PORT": str(port), "SPUNTO_DATA_DIR": str(data_dir)},
    )
    agent = Program(
        name="agent",
        command=[sys.executable, "-m", "spunto_agent"],
        # Before that it would only complain.
        may_begin=lambda: token_file.exists() and _listens(server_url),
        environment={
            "SPUNTO_AGENT_SERVER_URL": server_url,
            "SPUNTO_AGENT_TOKEN_FILE": str(token_file),
            "SPUNTO_AGENT_DATA_DIR": str(data_dir / "agent"),
            "SPUNTO_AGENT_ENGINE": engine,
        },
    )
    return [server, agent]


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


def _ensure_worker_image(engine: str) -> None:
    """So that the demo's worker has something to run. Where it can't be had the box starts all the same, and it is said
    why."""
    if Settings().worker_image == DEFAULT_WORKER_IMAGE:
        command = [sys.executable, "-m", "spunto_agent.worker_image", "--engine", engine]
        subprocess.run(command, stdin=subprocess.DEVNULL, check=False)


def _listens(url: str) -> bool:
    address = urlsplit(url)
    try:
        with socket.create_connection((address.hostname, address.port), timeout=_PROBE_SECONDS):
            return True
    except OSError:
        return False


@contextmanager
def _lock(data_dir: Path) -> Iterator[None]:
    """One `spunto up` a data directory. Raises BlockingIOError where another has it."""
    descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
