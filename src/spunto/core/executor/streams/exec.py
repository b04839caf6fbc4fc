"""Runs one command in a container for an exec stream, and sees to it that it does not outlive the stream."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from spunto.core.executor.effects import bounded
from spunto.core.executor.runtime import CommandNotStarted, ContainerRuntime, Exec, ExecSpec
from spunto.core.executor.streams.params import Params
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError
from spunto.core.protocol.stream import Stream

MAX_SECONDS = 24 * 3600.0
TIMED_OUT_CODE = 124
_FD = {"stdout": 1, "stderr": 2}
_MARK = "SPUNTO_EXEC"
_KILL_SECONDS = 15.0
# Engines can't end a command that they run. What the machine does not show, or what has left the command's session, may
# carry a mark that was handed down: its own user sees that, in a container that has a shell.
_KILL = f'for p in /proc/[0-9]*; do grep -qs "{_MARK}=$1" $p/environ && kill -9 "${{p#/proc/}}"; done; true'

Later = Callable[[Coroutine[Any, Any, None]], None]
"""Has something done by whoever outlives the stream."""


async def run_command(
    runtime: ContainerRuntime, stream: Stream, name: str, params: Params, *, clock: Clock, later: Later
) -> None:
    """Run it with what the stream brings as its input; output goes back tagged by descriptor, and its end last.

    One that can't be started ends as in a shell: with 127 or 126, and the reason on its stderr.
    """
    mark = secrets.token_hex(8)
    user = params.optional_text("user")
    spec = ExecSpec(
        command=params.texts("command"),
        env={**params.mapping("env"), _MARK: mark},
        working_dir=params.optional_text("cwd"),
        user=user,
    )
    seconds = min(params.optional_seconds("timeoutSeconds") or MAX_SECONDS, MAX_SECONDS)
    begun = clock.monotonic()
    try:
        command = await runtime.exec(name, spec)
    except CommandNotStarted as refused:
        await stream.send_control({"fd": _FD["stderr"]})
        await stream.write(f"{refused.message}\n".encode())
        await _tell_end(stream, refused.exit_code, duration_seconds=clock.monotonic() - begun)
        return
    exit_code: int | None = None
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                exit_code = await _converse(stream, command, takes_input=params.flag("stdin"))
        await _tell_end(stream, exit_code, duration_seconds=clock.monotonic() - begun)
    finally:
        if exit_code is None:
            later(_kill(runtime, name, command, mark=mark, user=user))
        else:
            later(command.aclose())


async def _tell_end(stream: Stream, exit_code: int | None, *, duration_seconds: float) -> None:
    """Without an exit code its time was over, or nobody is left to be told."""
    await stream.send_control(
        {
            "exitCode": TIMED_OUT_CODE if exit_code is None else exit_code,
            "durationMs": round(duration_seconds * 1000),
            "timedOut": exit_code is None,
        }
    )
    await stream.write_eof()


async def _converse(stream: Stream, command: Exec, *, takes_input: bool) -> int | None:
    """The command's exit code; None where whoever asked for it has gone."""
    if not takes_input:
        await command.write_eof()
    async with asyncio.TaskGroup() as group:
        feeding = group.create_task(_feed(stream, command, takes_input=takes_input), name="exec input")
        showing = group.create_task(_show(stream, command), name="exec output")
        # A silent command would not notice by itself, and there is nothing to hear of one who has said all.
        leaving = group.create_task(stream.given_up(), name="exec asker")
        await asyncio.wait({showing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        feeding.cancel()
        leaving.cancel()
        if not showing.done():
            showing.cancel()
            return None
    return showing.result()


async def _feed(stream: Stream, command: Exec, *, takes_input: bool) -> None:
    while (piece := await stream.next()) is not None:
        if takes_input and isinstance(piece, bytes):
            await command.write(piece)
    await command.write_eof()


async def _show(stream: Stream, command: Exec) -> int:
    shown = ""
    while (output := await command.read()) is not None:
        source, data = output
        if source != shown:
            await stream.send_control({"fd": _FD[source]})
            shown = source
        await stream.write(data)
    return await command.exit_code()


async def _kill(runtime: ContainerRuntime, name: str, command: Exec, *, mark: str, user: str | None) -> None:
    with suppress(SpuntoError):
        async with bounded(_KILL_SECONDS):
            await command.kill_tree()
    with suppress(SpuntoError):
        async with bounded(_KILL_SECONDS):
            await command.aclose()
    with suppress(SpuntoError):
        async with bounded(_KILL_SECONDS):
            killing = await runtime.exec(name, ExecSpec(command=("sh", "-c", _KILL, "sh", mark), user=user))
            while await killing.read() is not None:
                pass
            await killing.aclose()
