"""Pure reading of an inspected exec: the engines fill in the same fields at different times."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Podman forgets a finished command's pid, so that one which never ran differs from one that exited with 126 only by
# what stands in its output: the end of these sentences is libpod's own, whatever the OCI runtime said before.
_PODMAN_START_FAILURES = (
    "OCI runtime attempted to invoke a command that was not found",
    "OCI permission denied",
    "OCI runtime error",
)
# Docker tells 126 for every command that never ran, so that which one is not there stands in the OCI runtime's words.
_NOT_THERE = ("executable file not found", "no such file or directory")
NOT_FOUND_CODE = 127
NOT_EXECUTABLE_CODE = 126


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecState:
    """How an engine says that a command is over, and that it has never run."""

    is_over: Callable[[Mapping[str, Any]], bool]
    never_ran: Callable[[Mapping[str, Any], str], bool]


DOCKER = ExecState(
    is_over=lambda inspected: not inspected["Running"] and inspected["ExitCode"] is not None,
    never_ran=lambda inspected, _: not inspected["Pid"],
)
# Podman shows exit code 0 until it has read the real one, and drops the pid in the same step.
PODMAN = ExecState(
    is_over=lambda inspected: not inspected["Running"] and not inspected["Pid"],
    never_ran=lambda _, words: any(failure in words for failure in _PODMAN_START_FAILURES),
)


def code_of_unstarted(words: str) -> int:
    """What a shell would give for a command that could not be started."""
    return NOT_FOUND_CODE if any(each in words for each in _NOT_THERE) else NOT_EXECUTABLE_CODE
