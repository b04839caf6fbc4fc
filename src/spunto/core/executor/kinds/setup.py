"""A worker's setup: the project's commands, run once after create and after each start, and the status they leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from spunto.core.executor.actions import OUTPUT_TAIL_BYTES
from spunto.core.executor.runtime import Container, ContainerState
from spunto.core.specs.worker import WorkerSpec

STATUS_PATH = "/tmp/mp-status.json"  # noqa: S108 - a path inside the container, fixed by the contract

Status = Mapping[str, Any]
"""What the API shows as setupStatus: phase, startedAt, repos, postCreate, postStart, error, timings."""


class Stage(StrEnum):
    """The commands, in the order in which they run; the values are their names in the status."""

    POST_CREATE = "postCreate"
    POST_START = "postStart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The worker's own part of its ledger.

    `due`: stages that a started container still owes; `running`: the one under way, never repeated. `timings` are the
    seconds that image, container and start took the last time.
    """

    due: tuple[Stage, ...] = ()
    running: Stage | None = None
    status: Status | None = None
    timings: Mapping[str, float] = field(default_factory=dict)

    def timed(self, name: str, seconds: float, *, anew: bool = True) -> "Setup":
        """Without `anew`, the seconds come on top of what stands there."""
        total = seconds if anew else self.timings.get(name, 0.0) + seconds
        return replace(self, timings={**self.timings, name: round(total, 3)})

    def created(self) -> "Setup":
        """A new container has had no setup."""
        return replace(self, due=(), status=None)

    def starting(self, container: Container) -> "Setup":
        """Written before the start, so that a crash right after it does not lose what the start owes."""
        first = container.state is ContainerState.CREATED or Stage.POST_CREATE in self.due
        return replace(self, due=tuple(Stage) if first else (Stage.POST_START,))

    def started(self, spec: WorkerSpec, *, at: datetime | None) -> "Setup":
        """The container runs; what it owes is narrowed to what the project has commands for."""
        if not self.due:  # It was running when it was found: whoever started it saw to its setup.
            return self
        due = tuple(stage for stage in self.due if command_of(spec, stage))
        return replace(self, due=due, status=begun(self.status, due=due, at=at, timings=self.timings))

    def running_now(self, stage: Stage) -> "Setup":
        """Written before the command, which runs at most once."""
        return replace(self, due=tuple(due for due in self.due if due is not stage), running=stage)

    def ended(self, *, exit_code: int | None, output: bytes, seconds: float) -> "Setup":
        """The command under way has ended; None for an end that nobody saw."""
        if self.status is None or self.running is None:
            return self
        status = with_result(self.status, self.running, exit_code=exit_code, output=output, seconds=seconds)
        return replace(self, status=status if self.due else ended(status), running=None)


def setup_to_json(setup: Setup) -> dict[str, Any]:
    return {
        "due": [stage.value for stage in setup.due],
        "running": None if setup.running is None else setup.running.value,
        "status": setup.status,
        "timings": setup.timings,
    }


def setup_from_json(own: Mapping[str, Any]) -> Setup:
    """Raises KeyError or ValueError where it is none that this version can go on with."""
    if not own:
        return Setup()
    due, running, status, timings = own["due"], own["running"], own["status"], own["timings"]
    if len(own) > 4:
        raise ValueError("a setup of a newer agent")
    return Setup(
        due=tuple(Stage(stage) for stage in due),
        running=None if running is None else Stage(running),
        status=status,
        timings=timings,
    )


def command_of(spec: WorkerSpec, stage: Stage) -> str | None:
    return spec.post_create_command if stage is Stage.POST_CREATE else spec.post_start_command


def begun(earlier: Status | None, *, due: Sequence[Stage], at: datetime | None, timings: Mapping[str, float]) -> Status:
    """The status of a container that has just started; how its creation went stays true over later starts."""
    status: Status = {
        "phase": "lifecycle",
        "startedAt": None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "repos": [],
        "postCreate": None if earlier is None or Stage.POST_CREATE in due else earlier["postCreate"],
        "postStart": None,
        "error": None,
        "timings": dict(timings),
    }
    return status if due else ended(status)


def with_result(status: Status, stage: Stage, *, exit_code: int | None, output: bytes, seconds: float) -> Status:
    tail = output[-OUTPUT_TAIL_BYTES:].decode(errors="replace")
    timings = {**status["timings"], f"{stage.value}Seconds": round(seconds, 3)}
    return {**status, stage.value: {"exitCode": exit_code, "outputTail": tail}, "timings": timings}


def ended(status: Status) -> Status:
    """The last word: `ready`, or `error` in words when a command failed. The worker runs in either case."""
    error = next(filter(None, (_failure(status, stage) for stage in Stage)), None)
    return {**status, "phase": "error" if error else "ready", "error": error}


def _failure(status: Status, stage: Stage) -> str | None:
    result = status[stage.value]
    if result is None or result["exitCode"] == 0:
        return None
    if result["exitCode"] is None:
        return f"{stage.value}Command was interrupted; run it in the worker, or rebuild the worker."
    return f"{stage.value}Command ended with {result['exitCode']}; see its output, mend it and rebuild the worker."
