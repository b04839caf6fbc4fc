"""A terminal without a window: types, reads what is shown, and changes its size."""

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

ANSWER_SECONDS = 20.0


@dataclass(slots=True, kw_only=True)
class PseudoTerminal:
    """`shown` is all that was read so far."""

    process: "subprocess.Popen[bytes]"
    descriptor: int
    shown: bytes = field(default=b"", init=False)

    @classmethod
    @contextmanager
    def running(cls, command: Sequence[str], *, environment: Mapping[str, str]) -> Iterator["PseudoTerminal"]:
        """The command with this as its controlling terminal; it is killed with the block."""
        ours, theirs = os.openpty()
        try:
            process = subprocess.Popen(
                ["setsid", "--ctty", *command], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
            )
        finally:
            os.close(theirs)
        with process:
            try:
                yield cls(process=process, descriptor=ours)
            finally:
                process.kill()
                os.close(ours)

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def resize(self, *, cols: int, rows: int) -> None:
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def until(self, text: str) -> None:
        """Read until this was shown, from where the last call ended. Raises AssertionError with what was shown."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while text.encode() not in self.shown:
            assert self._read(deadline - time.monotonic()), f"{text!r} was not shown, but {self.shown!r}"
        self.shown = self.shown.partition(text.encode())[2]

    def exit_code(self) -> int:
        """Read to the end, and give the command's exit code."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(timeout=ANSWER_SECONDS)

    def _read(self, seconds: float) -> bool:
        """False at the end, and when nothing came in time."""
        if not select.select([self.descriptor], [], [], max(0.0, seconds))[0]:
            return False
        try:
            data = os.read(self.descriptor, 4096)
        except OSError:
            # How Linux tells that nobody has the other end open any more.
            return False
        self.shown += data
        return bool(data)
