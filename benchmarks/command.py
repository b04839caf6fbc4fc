"""How long a command takes from its start to its end, where all it does is one request."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Row, median, spread
from benchmarks.stack import server

RUNS = 15
GOAL_SECONDS = 0.3


def measure() -> list[Row]:
    with server() as running, tempfile.TemporaryDirectory(prefix="spunto-bench-") as home:
        environment = {**os.environ, "SPUNTO_URL": running.url, "SPUNTO_TOKEN": running.token, "XDG_CONFIG_HOME": home}
        return [_row(environment, "org", "list"), _row(environment, "--help")]


def _row(environment: dict[str, str], *arguments: str) -> Row:
    seconds = sorted(_once(environment, *arguments) for _ in range(RUNS))
    return Row(
        name=f"`spunto {' '.join(arguments)}`, from start to end",
        figure=median(seconds),
        unit="s",
        goal=GOAL_SECONDS,
        better="lower",
        detail=spread(seconds, scale=1, unit="s"),
    )


def _once(environment: dict[str, str], *arguments: str) -> float:
    command = [str(Path(sys.executable).with_name("spunto")), *arguments]
    started = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started
