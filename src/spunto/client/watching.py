"""Waiting for a worker: asking often at first, then less, and telling every change."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Set
from typing import Any, ClassVar

from spunto.client.errors import NotNow, NotThere, ServerUnreachable
from spunto.client.worker_models import Worker
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError

_FIRST_SECONDS, _GROWTH, _LAST_SECONDS = 0.05, 1.5, 1.0

SETTLED = frozenset({"ready", "stopped", "error"})
"""States that a worker doesn't leave unless somebody asks for it."""

Fetch = Callable[[], Awaitable[Worker]]


class WorkerSettledElsewhere(SpuntoError):
    """The worker will not reach the state that was waited for by itself; `worker` says what it did reach, and why."""

    def __init__(self, worker: Worker) -> None:
        reason = worker.error.message if worker.error is not None else f"The worker is {worker.state}."
        super().__init__("worker_settled_elsewhere", reason, workerId=worker.id, state=worker.state)
        self.worker = worker


class WorkerGone(SpuntoError):
    """The worker was destroyed while it was waited for."""

    def __init__(self, worker_id: str) -> None:
        super().__init__("worker_gone", "The worker was destroyed meanwhile.", workerId=worker_id)


class WaitedTooLong(SpuntoError):
    """The time given for waiting is over. What was waited for may still happen."""

    CODE: ClassVar[str] = "waited_too_long"

    def __init__(self, worker_id: str, *, timeout_seconds: float) -> None:
        message = f"The worker was not as asked for after {timeout_seconds:g} s; it may still become so."
        super().__init__(self.CODE, message, workerId=worker_id)


def poll_delays_seconds() -> Iterator[float]:
    """50 ms at first, growing to one second."""
    delay_seconds = _FIRST_SECONDS
    while True:
        yield delay_seconds
        delay_seconds = min(_LAST_SECONDS, delay_seconds * _GROWTH)


def progress_of(worker: Worker) -> tuple[Any, ...]:
    """What counts as a change to somebody who waits."""
    setup = worker.setup_status
    blocking = worker.explanation and worker.explanation.blocking
    return worker.state, worker.docker_state, setup and setup.phase, worker.node_id, worker.error, blocking


async def watched(fetch: Fetch, *, clock: Clock) -> AsyncIterator[Worker]:
    """The worker as it is and after every change, until it is gone.

    A server that can't be reached for a moment is no news.
    """
    shown: tuple[Any, ...] | None = None
    delays_seconds = poll_delays_seconds()
    while True:
        try:
            worker = await fetch()
        except NotThere:
            if shown is None:
                raise
            return
        except (ServerUnreachable, NotNow):
            if shown is None:
                raise
        else:
            progress = progress_of(worker)
            if progress != shown:
                shown = progress
                delays_seconds = poll_delays_seconds()
                yield worker
        await clock.sleep(next(delays_seconds))


def has_arrived(worker: Worker, *, until: Set[str]) -> bool:
    """Whether the worker is where it was waited for. Raises WorkerSettledElsewhere where it never will be."""
    if worker.state in until:
        return True
    if worker.state in SETTLED:
        raise WorkerSettledElsewhere(worker)
    return False
