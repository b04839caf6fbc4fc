"""How fast a box answers at its second start, and what its processes weigh."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from tests.fixtures.scripts import answer_of

from benchmarks.figures import Row, median, spread
from benchmarks.stack import free_port, wait_until_ready

STARTS = 5
_SETTLE_SECONDS = 5.0
_NAMES = {
    "spunto.entrypoints.serve": "serve",
    "spunto.entrypoints.edge.main": "edge",
    "spunto_agent": "agent",
    "spunto_agent.holder": "holder",
}


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="spunto-bench-") as folder:
        _start_once(folder)
        starts = [_start_once(folder) for _ in range(STARTS)]
    seconds = [each[0] for each in starts]
    server, edge, agent, holder = (max(each[1][name] for each in starts) / 1e6 for name in _NAMES.values())
    return [
        Row(
            name="`spunto up` answers, second start",
            figure=median(seconds),
            unit="s",
            goal=3,
            better="lower",
            detail=spread(seconds, scale=1, unit="s"),
        ),
        Row(name="server's memory", figure=server, unit="MB", goal=120, better="lower", detail="RSS, idle, largest"),
        Row(name="edge's memory", figure=edge, unit="MB", goal=80, better="lower", detail="RSS, idle, largest"),
        Row(name="agent's memory", figure=agent, unit="MB", goal=50, better="lower", detail="RSS, idle, largest"),
        Row(name="holder's memory", figure=holder, unit="MB", goal=25, better="lower", detail="RSS, idle, largest"),
    ]


def _start_once(folder: str) -> tuple[float, dict[str, int]]:
    """Seconds until /readyz answers, and the resident bytes of each process some seconds later."""
    port = free_port()
    environment = {**os.environ, "DOCKER_HOST": answer_of("engine", "docker")}
    command = [str(Path(sys.executable).with_name("spunto")), "up", "--port", str(port), "--data-dir", folder]
    started = time.perf_counter()
    box = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
        seconds = time.perf_counter() - started
        time.sleep(_SETTLE_SECONDS)
        return seconds, _resident(box.pid)
    finally:
        box.send_signal(signal.SIGTERM)
        box.wait(30)


def _resident(pid: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for child in psutil.Process(pid).children():
        name = _NAMES[child.cmdline()[2]]
        found[name] = child.memory_info().rss
    return found
