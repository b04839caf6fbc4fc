"""`spunto up`: one box, with a server and an agent beside it as processes of their own."""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spunto.entrypoints.box.supervisor import Program, ProgramFailed, keep_running
from spunto.entrypoints.serving.failures import EXIT_CONFIG, told


def run(*, host: str, port: int, data_dir: Path, engine: str, demo: bool) -> int:
    """Run the box until a signal; the exit code."""
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with _lock(data_dir):
            return asyncio.run(_supervise(_programs(host, port, data_dir, engine, demo=demo)))
    except BlockingIOError:
        return told(f"another `spunto up` runs on {data_dir}; stop it, or take another --data-dir", EXIT_CONFIG)


def _programs(host: str, port: int, data_dir: Path, engine: str, *, demo: bool) -> list[Program]:
    server_url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
    server = Program(
        name="server",
        command=[sys.executable, "-m", "spunto.entrypoints.serve", "--box", *(["--demo"] if demo else [])],
        environment={"SPUNTO_HOST": host, "SPUNTO_PORT": str(port), "SPUNTO_DATA_DIR": str(data_dir)},
    )
    agent = Program(
        name="agent",
        command=[sys.executable, "-m", "spunto_agent"],
        waits_for=data_dir / "agent" / "token",
        environment={
            "SPUNTO_AGENT_SERVER_URL": server_url,
            "SPUNTO_AGENT_TOKEN_FILE": str(data_dir / "agent" / "token"),
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


@contextmanager
def _lock(data_dir: Path) -> Iterator[None]:
    """One `spunto up` a data directory. Raises BlockingIOError where another has it."""
    descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
