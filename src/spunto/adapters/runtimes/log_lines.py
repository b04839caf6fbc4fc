"""Puts an engine's log frames together to lines."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from spunto.adapters.runtimes.translate import moment
from spunto.core.executor.runtime import LogChunk

MAX_LINE_BYTES = 64 * 1024

StreamName = Literal["stdout", "stderr"]


@dataclass(slots=True)
class _Line:
    at: datetime
    content: bytearray = field(default_factory=bytearray)
    missing_bytes: int = 0


class LogLines:
    """Each frame is a timestamp, a space and a line or a piece of one (8 or 16 KiB); a line's end ends it."""

    def __init__(self) -> None:
        self._open: dict[StreamName, _Line] = {}

    def feed(self, stream: StreamName, frame: bytes) -> LogChunk | None:
        """The line that the frame completes, if it does."""
        stamp, _, piece = frame.partition(b" ")
        line = self._open.get(stream)
        if line is None:
            try:
                at = moment(stamp.decode("ascii", "replace"))
            except (ValueError, OverflowError):
                at = None
            if at is None:
                return None
            line = self._open[stream] = _Line(at)
        written = piece.removesuffix(b"\n")
        kept = written[: MAX_LINE_BYTES - len(line.content)]
        line.content += kept
        line.missing_bytes += len(written) - len(kept)
        return self._complete(stream) if piece.endswith(b"\n") else None

    def rest(self) -> list[LogChunk]:
        """What is left at the end of the log: lines without an end."""
        return [self._complete(stream) for stream in tuple(self._open)]

    def _complete(self, stream: StreamName) -> LogChunk:
        line = self._open.pop(stream)
        mark = f" [spunto: {line.missing_bytes} bytes of this line are left out]" if line.missing_bytes else ""
        return LogChunk(at=line.at, stream=stream, line=line.content.decode("utf-8", "replace") + mark)
