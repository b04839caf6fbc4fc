"""A worker's setup: the project's commands, run once after create and after each start, and the status they leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from spunto.core.executor.actions import OUTPUT_TAIL_BYTES, Outcome
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

    @property
    def is_unbegun(self) -> bool:
        """Whether the container ended before anything of it was run; somebody may start it again by hand."""
        return bool(self.due) and self.status is None

    @property
    def is_spoilt(self) -> bool:
        """Whether what runs once in a new container has failed in this one."""
        created = None if self.status is None else self.status["postCreate"]
        return created is not None and created["exitCode"] != 0

    def is_of_another_start(self, started_at: datetime | None) -> bool:
        """Whether somebody else than the node has started the container since: it owes what each start does."""
        known = None if self.status is None else self.status["startedAt"]
        return known is not None and started_at is not None and known != _instant(started_at)

    def timed(self, name: str, seconds: float, *, anew: bool = True) -> "Setup":
        """Without `anew`, the seconds come on top of what stands there."""
        total = seconds if anew else self.timings.get(name, 0.0) + seconds
        return replace(self, timings={**self.timings, name: round(total, 3)})

    def created(self) -> "Setup":
        """Of a new container, which has had no setup, or of one whose setup is not remembered."""
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

    def ended(self, outcome: Outcome) -> "Setup":
        """The command under way has ended, or was left to itself."""
        if self.status is None or self.running is None:
            return self
        status = with_result(self.status, self.running, outcome)
        return replace(self, status=status if self.due else ended(status), running=None)

    def interrupted(self) -> "Setup":
        """The command under way has an end that nobody saw."""
        if self.status is None or self.running is None:
            return self
        status = {
            **self.status,
            self.running.value: {"exitCode": None, "outputTail": ""},
            "error": self.status["error"] or _failure(self.running, None, "was interrupted"),
        }
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
    created = None if earlier is None or Stage.POST_CREATE in due else earlier["postCreate"]
    failed = created is not None and created["exitCode"] != 0
    status: Status = {
        "phase": "lifecycle",
        "startedAt": None if at is None else _instant(at),
        "repos": [],
        "postCreate": created,
        "postStart": None,
        "error": earlier["error"] if earlier is not None and failed else None,
        "timings": dict(timings),
    }
    return status if due else ended(status)


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def with_result(status: Status, stage: Stage, outcome: Outcome) -> Status:
    """The first command that fails has the `error`."""
    tail = outcome.output[-OUTPUT_TAIL_BYTES:].decode(errors="replace")
    return {
        **status,
        stage.value: {"exitCode": outcome.exit_code, "outputTail": tail},
        "timings": {**status["timings"], f"{stage.value}Seconds": round(outcome.seconds, 3)},
        "error": status["error"] or _failure(stage, outcome.exit_code, outcome.trouble or "has an unknown end"),
    }


def ended(status: Status) -> Status:
    """The last word: `ready`, or `error` in words when a command failed. The worker runs in either case."""
    return {**status, "phase": "error" if status["error"] else "ready"}


def _failure(stage: Stage, exit_code: int | None, trouble: str) -> str | None:
    if exit_code == 0:
        return None
    if exit_code is None:
        return f"{stage.value}Command {trouble}; run it in the worker, or rebuild the worker."
    return f"{stage.value}Command ended with {exit_code}; see its output, mend it and rebuild the worker."
