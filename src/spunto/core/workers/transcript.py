"""What a command in a worker said, gathered up to a limit."""

from dataclasses import dataclass

from spunto.core.kernel.errors import Unavailable
from spunto.core.protocol.messages import JsonObject


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
    """Takes the pieces of an exec stream in their order; keeps the first `limit_bytes` of each output."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._outputs = {1: bytearray(), 2: bytearray()}
        self._fd = 1
        self._truncated = False
        self._end: JsonObject | None = None

    def add(self, piece: bytes | JsonObject) -> None:
        if isinstance(piece, dict):
            self._fd = 2 if piece.get("fd", self._fd) == 2 else 1
            self._end = piece if isinstance(piece.get("exitCode"), int) else self._end
            return
        output = self._outputs[self._fd]
        room = self._limit_bytes - len(output)
        output += piece[:room]
        self._truncated = self._truncated or len(piece) > room

    def result(self) -> ExecResult:
        """Raises Unavailable `exec_cut_off` where the command's end was never told."""
        if self._end is None:
            raise Unavailable("exec_cut_off", "The connection to the command ended before the command; try again.")
        duration_ms = self._end.get("durationMs")
        return ExecResult(
            exit_code=self._end["exitCode"],
            stdout=bytes(self._outputs[1]),
            stderr=bytes(self._outputs[2]),
            truncated=self._truncated,
            timed_out=self._end.get("timedOut") is True,
            duration_ms=duration_ms if isinstance(duration_ms, int) else 0,
        )
