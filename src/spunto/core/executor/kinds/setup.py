"""A worker's setup: the project's commands, run once after create and after each start, and the status they leave."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from spunto.core.specs.worker import WorkerSpec

STATUS_PATH = "/tmp/mp-status.json"  # noqa: S108 - a path inside the container, fixed by the contract
OUTPUT_TAIL_BYTES = 4096

Status = Mapping[str, Any]
"""The contract's setupStatus: phase, startedAt, repos, postCreate, postStart, error, timings."""


class Stage(StrEnum):
    """The commands, in the order in which they run; the values are their names in the status."""

    POST_CREATE = "postCreate"
    POST_START = "postStart"


def command_of(spec: WorkerSpec, stage: Stage) -> str | None:
    return spec.post_create_command if stage is Stage.POST_CREATE else spec.post_start_command


def begun(earlier: Status | None, *, due: Sequence[Stage], at: str, timings: Mapping[str, float]) -> Status:
    """The status of a container that has just started; how its creation went stays true over later starts."""
    status: Status = {
        "phase": "lifecycle",
        "startedAt": at,
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
