"""Keeps a box's processes running: started again with back-off when they die, ended together."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from spunto.core.kernel.backoff import BackOff
from spunto.entrypoints.serving.failures import EXIT_CONFIG

STOP_SECONDS = 15.0
_STEADY_SECONDS = 30.0
_POLL_SECONDS = 0.05
_BACK_OFF = BackOff(base_seconds=0.2, cap_seconds=10.0)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process, begun once `may_begin` says so; an exit code in `final` ends the box, not this run of it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    may_begin: Callable[[], bool] = lambda: True
    final: frozenset[int] = frozenset({EXIT_CONFIG})


class ProgramFailed(Exception):
    """A program ended with a code that starting again can't mend; it has said why itself."""

    def __init__(self, name: str, exit_code: int) -> None:
        super().__init__(f"the {name} ended with exit code {exit_code}")


async def keep_running(program: Program) -> None:
    """Run until cancelled, which ends the process. Raises ProgramFailed."""
    failures = 0
    while not program.may_begin():  # noqa: ASYNC110 - it depends on another process
        await asyncio.sleep(_POLL_SECONDS)
    while True:
        started = time.monotonic()
        exit_code = await _run_once(program)
        if exit_code in program.final:
            raise ProgramFailed(program.name, exit_code)
        if time.monotonic() - started > _STEADY_SECONDS:
            failures = 0
        print(f"spunto: the {program.name} ended ({exit_code}); starting it again", file=sys.stderr)  # noqa: T201
        await asyncio.sleep(_BACK_OFF.seconds(failures))
        failures += 1


async def _run_once(program: Program) -> int:
    process = await asyncio.create_subprocess_exec(
        *program.command,
        env={**os.environ, **program.environment},
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )
    try:
        return await process.wait()
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL to the whole process group for what has not ended in time."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _die_with_parent() -> None:
    """A supervisor that is killed must not leave a server behind that holds the port (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
