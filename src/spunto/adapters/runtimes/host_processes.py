"""A command's processes as the machine sees them: no other user, emptied environment or missing shell hides them."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
# Each round stops what the one before had overlooked; what forks faster than that is killed as far as it is known.
_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """`session` is the pid of the process that began it."""

    parent: int
    session: int


def kill_tree(root: int, *, first: int) -> bool:
    """SIGKILL to the process, to what descends from it, and to what is left of their sessions.

    `first` is the pid of the container's first process. Pids are the engine's: false, and nothing is done, where they
    are not those of a container here, because the agent is in one itself or the engine on another machine.
    """
    namespace = _namespace(root)
    if namespace is None or namespace != _namespace(first) or namespace == _namespace(os.getpid()):
        return False
    known: set[int] = set()
    for _ in range(_ROUNDS):
        found = tree_of(root, _processes(namespace), first=first)
        if found <= known:
            break
        for pid in found - known:
            _send(pid, signal.SIGSTOP)
        known |= found
    for pid in known:
        _send(pid, signal.SIGKILL)
    return True


def tree_of(root: int, processes: Mapping[int, Process], *, first: int) -> set[int]:
    """The root and what belongs to it; never what is of the container's first process."""
    if root not in processes or root == first:
        return set()
    foreign = {processes[first].session} if first in processes else set()
    found, size = {root}, 0
    while len(found) > size:
        size = len(found)
        sessions = {processes[pid].session for pid in found} - foreign
        found |= {pid for pid, each in processes.items() if each.parent in found or each.session in sessions}
        found.discard(first)
    return found


def _processes(namespace: Path) -> dict[int, Process]:
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())
    seen = {pid: _process(pid) for pid in pids if _namespace(pid) == namespace}
    return {pid: process for pid, process in seen.items() if process is not None}


def _process(pid: int) -> Process | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name before may have blanks and brackets in it.
    _, parent, _, session, *_ = stat.rpartition(")")[2].split()
    return Process(parent=int(parent), session=int(session))


def _namespace(pid: int) -> Path | None:
    """None where there is no such process, or it may not be looked at."""
    try:
        return (_PROC / str(pid) / "ns" / "pid").readlink()
    except OSError:
        return None


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
