"""The local end of a worker's shell: raw keyboard in, bytes out, window size along."""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from spunto.client.terminal import Attached, Detached, Exited, Output, Terminal
from spunto.core.kernel.errors import Unavailable

_CTRL_C, _CTRL_D, _BELL = b"\x03", b"\x04", b"\a"
_CHUNK_BYTES = 4096
_END_SECONDS = 0.5
# 256 KiB that somebody typed or pasted ahead while there was no connection.
_CHUNKS_AHEAD = 64
_USUAL_SIZE = os.terminal_size((80, 24))


def window_size() -> os.terminal_size:
    """Of the terminal that the output goes to, or the usual one where that goes elsewhere or doesn't know its size."""
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return _USUAL_SIZE
    return size if size.columns and size.lines else _USUAL_SIZE


async def attached_shell(terminal: Terminal) -> int:
    """Join this process's terminal to the shell until it exits; the exit code. Raises Unavailable when given up."""
    shell = _Shell(terminal)
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()
    assert running is not None  # noqa: S101 - a coroutine runs in a task
    # Unhandled, they would leave the terminal raw.
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, running.cancel)
    loop.add_signal_handler(signal.SIGWINCH, shell.window_changed.set)
    try:
        with _raw(sys.stdin.fileno()):
            return await shell.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH):
            loop.remove_signal_handler(number)


class _Shell:
    def __init__(self, terminal: Terminal) -> None:
        self.window_changed = asyncio.Event()
        self._terminal = terminal
        self._is_attached = True
        self._typed: asyncio.Queue[bytes] = asyncio.Queue(_CHUNKS_AHEAD)

    async def run(self) -> int:
        async with asyncio.TaskGroup() as group:
            beside = (self._read_keys, self._send_keys, self._follow_window)
            tasks = [group.create_task(each(), name=each.__name__) for each in beside]
            code = await self._print_output()
            for task in tasks:
                task.cancel()
        return code

    async def _print_output(self) -> int:
        code = 1
        async for event in self._terminal.events():
            match event:
                case Output(data=data):
                    _write(data)
                case Detached(reason=reason):
                    self._is_attached = False
                    _say(f"connection lost ({reason}); attaching again, Ctrl-C gives up")
                case Attached(missed_bytes=missed_bytes):
                    self._welcome(missed_bytes)
                case Exited():
                    code = event.code
        return code

    def _welcome(self, missed_bytes: int) -> None:
        if not self._is_attached:
            _say("attached again" + (f"; {missed_bytes} bytes of output are lost" if missed_bytes else ""))
        self._is_attached = True

    async def _read_keys(self) -> None:
        keyboard = sys.stdin.fileno()
        while data := await _read(keyboard):
            if self._is_attached:
                await self._typed.put(data)
            elif _CTRL_C in data:
                raise Unavailable("given_up", "The shell goes on for a while; `spunto worker shell` opens another one.")
            elif self._typed.full():
                _write(_BELL)
            else:
                self._typed.put_nowait(data)
        # What reads from an ended input finds its end each time, but a shell that is still starting up throws away
        # what was typed to it by then.
        while True:
            await self._typed.put(_CTRL_D)
            await asyncio.sleep(_END_SECONDS)

    async def _send_keys(self) -> None:
        while True:
            await self._terminal.write(await self._typed.get())

    async def _follow_window(self) -> None:
        while True:
            await self.window_changed.wait()
            self.window_changed.clear()
            size = window_size()
            await self._terminal.resize(cols=size.columns, rows=size.lines)


async def _read(descriptor: int) -> bytes:
    """What is there next; empty at the end."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, readable.set)
    except PermissionError:
        # A regular file, which can't be waited for, because it never makes anybody wait.
        return os.read(descriptor, _CHUNK_BYTES)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, _CHUNK_BYTES)


def _write(data: bytes) -> None:
    # Blocking on purpose: a terminal that takes no more stops the reading, and with it the shell.
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


def _say(sentence: str) -> None:
    # The terminal is raw, so a line feed alone would not return to its beginning.
    os.write(sys.stderr.fileno(), f"\r\n[spunto: {sentence}]\r\n".encode())


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    if not os.isatty(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    # Not the default, which throws away what was typed ahead.
    tty.setraw(descriptor, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
