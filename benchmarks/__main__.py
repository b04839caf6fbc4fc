"""`python -m benchmarks [NAME…]`: run the benchmarks, print every row, and add them to RESULTS.md with `--record`."""

import argparse
import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Row

NAMES = (
    "start",
    "command",
    "spawn",
    "terminal",
    "listing",
    "authentication",
    "agents",
    "placement",
    "feed",
    "edge",
    "front_door",
)
RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = "| what | figure | goal | | ours against the reference, same run |\n|---|---|---|---|---|"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all where none is given")
    parser.add_argument("--record", action="store_true", help="add what was seen to RESULTS.md")
    arguments = parser.parse_args()
    rows: list[Row] = []
    print(HEAD, flush=True)
    for name in arguments.names or NAMES:
        measured: Sequence[Row] = importlib.import_module(f"benchmarks.{name}").measure()
        for row in measured:
            print(row, flush=True)
        rows += measured
    if arguments.record:
        _record(rows)
    return 0


def _record(rows: Sequence[Row]) -> None:
    """The newest run stands first, below the heading."""
    heading, _, earlier = RESULTS.read_text().partition("\n## ")
    run = "\n".join([f"{_conditions()}\n", HEAD, *map(str, rows)])
    RESULTS.write_text(f"{heading}\n## {run}\n" + (f"\n## {earlier}" if earlier else ""))


def _conditions() -> str:
    git = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True, cwd=RESULTS.parent).stdout.strip()
    load = os.getloadavg()[0]
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M}Z, commit {commit}\n\n{machine}; load average at the end {load:.1f}."


if __name__ == "__main__":
    sys.exit(main())
