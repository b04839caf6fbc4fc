"""What is said to a command in a worker, and what it said, gathered up to a limit."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from spunto.core.kernel.errors import Unavailable
from spunto.core.protocol.messages import JsonObject
from spunto.core.protocol.stream import Stream

_CODES: Final = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """A command's end. `truncated` where more was said than is kept; a timed-out command has exit code 124."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool
    timed_out: bool
    duration_ms: int


class Transcript:
    """Takes the pieces of an exec stream in their order; of each output it keeps `head_bytes` and `tail_bytes`."""

    def __init__(self, *, head_bytes: int, tail_bytes: int) -> None:
        self._outputs = {fd: _Output(head_bytes, tail_bytes) for fd in (1, 2)}
        self._fd = 1
        self._end: JsonObject | None = None

    def add(self, piece: bytes | JsonObject) -> None:
        if isinstance(piece, bytes):
            self._outputs[self._fd].add(piece)
            return
        self._fd = 2 if piece.get("fd", self._fd) == 2 else 1
        code = piece.get("exitCode")
        if isinstance(code, int) and code in _CODES:
            self._end = piece

    def result(self) -> ExecResult:
        """Raises Unavailable `exec_cut_off` where the command's end was never told."""
        if self._end is None:
            raise Unavailable("exec_cut_off", "The connection to the command ended before the command; try again.")
        duration_ms = self._end.get("durationMs")
        return ExecResult(
            exit_code=self._end["exitCode"],
            stdout=self._outputs[1].kept(),
            stderr=self._outputs[2].kept(),
            truncated=any(output.missing_bytes for output in self._outputs.values()),
            timed_out=self._end.get("timedOut") is True,
            duration_ms=duration_ms if isinstance(duration_ms, int) else 0,
        )


async def converse(stream: Stream, stdin: bytes, transcript: Transcript) -> None:
    """To the end of the stream. Raises Unavailable for one that breaks off."""
    failure: Unavailable | None = None
    async with asyncio.TaskGroup() as group:
        feeding = group.create_task(_feed(stream, stdin), name="exec stdin")
        try:
            while (piece := await stream.next()) is not None:
                transcript.add(piece)
        except Unavailable as error:
            # Raised after the group, which would wrap it.
            failure = error
        feeding.cancel()
    if failure is not None:
        raise failure


async def _feed(stream: Stream, stdin: bytes) -> None:
    """A command need not read all of its input; how the stream ended is for the reader to say."""
    with suppress(Unavailable):
        if stdin:
            await stream.write(stdin)
        await stream.write_eof()


class _Output:
    """The beginning says what was done, and the end what became of it: what is left out lies between."""

    def __init__(self, head_bytes: int, tail_bytes: int) -> None:
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._held_bytes = 0
        self.missing_bytes = 0

    def add(self, piece: bytes) -> None:
        room = self._head_bytes - len(self._head)
        self._head += piece[:room]
        if rest := piece[room:]:
            self._tail.append(rest)
            self._held_bytes += len(rest)
            self._let_go()

    def kept(self) -> bytes:
        if not self.missing_bytes:
            return bytes(self._head) + b"".join(self._tail)
        gap = f"\n[spunto: {self.missing_bytes} bytes are left out here]\n"
        return b"".join((self._head, gap.encode(), *self._tail))

    def _let_go(self) -> None:
        while (excess := self._held_bytes - self._tail_bytes) > 0:
            oldest = self._tail.popleft()
            gone = min(excess, len(oldest))
            if gone < len(oldest):
                self._tail.appendleft(oldest[gone:])
            self._held_bytes -= gone
            self.missing_bytes += gone
