"""Watching a worker come up: a live line on a terminal, plain lines elsewhere, silence with --json. All on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spunto.client.worker_models import Worker
from spunto.entrypoints.cli.output import Output, printable

Report = Callable[[Worker], None]


def stage_of(worker: Worker) -> str:
    """Where the worker is on its way, in a few words."""
    phase = worker.setup_status.phase if worker.setup_status else ""
    # What set-up came to once is no news of a worker that ends.
    tells = worker.state in ("spawning", "starting", "ready") and phase not in ("ready", worker.state)
    words = [worker.state, phase if tells else ""]
    if worker.state == "error" and worker.error is not None:
        words = ["error", worker.error.message]
    return printable(" · ".join(filter(None, words)))


@contextmanager
def reporting(out: Output, name: str) -> Iterator[Report]:
    if out.as_json:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _live(name) as report:
            yield report
    else:
        yield _plain(out, name)


@contextmanager
def _live(name: str) -> Iterator[Report]:
    # rich is slow to import, and pipes don't need it.
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        line = progress.add_task(printable(name), total=None)
        yield lambda worker: progress.update(line, description=f"{printable(name)}: {stage_of(worker)}")


def _plain(out: Output, name: str) -> Report:
    begun = time.monotonic()
    last = ""

    def report(worker: Worker) -> None:
        nonlocal last
        stage = stage_of(worker)
        if stage != last:
            last = stage
            out.note(f"{name}: {stage} ({time.monotonic() - begun:.1f} s)")

    return report
