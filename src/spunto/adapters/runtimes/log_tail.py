"""The last whole lines of a log, from an engine that counts pieces of lines."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from spunto.adapters.runtimes.log_lines import LogLines, StreamName
from spunto.core.executor.runtime import LogChunk

MAX_TAIL_BYTES = 8 * 1024 * 1024
# The pieces of a line stand together but for a few of the other stream, so one without its beginning is at the top.
MARGIN_FRAMES = 16
_GROWTH = 4
_MAX_FRAMES = 1_000_000


def attempts(lines: int) -> Iterator["LogTail"]:
    """Asking for more and more, until it is the whole log."""
    frames = lines + MARGIN_FRAMES
    while frames <= _MAX_FRAMES:
        yield LogTail(lines=lines, asked_frames=frames)
        frames *= _GROWTH
    yield LogTail(lines=lines, asked_frames=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The last lines, and how many others of the same moment stand before them."""

    lines: Sequence[LogChunk]
    same_moment_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    chunk: LogChunk
    is_doubtful: bool


class LogTail:
    """Takes the last `asked_frames` frames of a log (None: all), and gives the last `lines` whole ones, up to 8 MiB."""

    def __init__(self, *, lines: int, asked_frames: int | None) -> None:
        self.asked_frames = asked_frames
        self._wanted = lines
        self._lines = LogLines()
        self._kept: deque[_Kept] = deque()
        self._kept_bytes = self._frames = 0
        self._is_full = False
        self._doubts: dict[StreamName, bool] = {}

    def feed(self, stream: StreamName, frame: bytes) -> None:
        self._doubts.setdefault(stream, self._frames < MARGIN_FRAMES)
        self._frames += 1
        chunk = self._lines.feed(stream, frame)
        if chunk is not None:
            self._keep(chunk)

    def end(self) -> Found | None:
        """The lines; None where there may be more whole ones that the engine was not asked for."""
        for chunk in self._lines.rest():
            self._keep(chunk)
        is_whole = self.asked_frames is None or self._frames < self.asked_frames
        sure = [kept.chunk for kept in self._kept if is_whole or not kept.is_doubtful]
        if len(sure) < self._wanted and not (is_whole or self._is_full):
            return None
        begin = max(len(sure) - self._wanted, 0)
        before = takewhile(lambda chunk: chunk.at == sure[begin].at, reversed(sure[:begin]))
        return Found(lines=sure[begin:], same_moment_before=sum(1 for _ in before))

    def _keep(self, chunk: LogChunk) -> None:
        is_doubtful = self._doubts.get(chunk.stream, False)
        self._doubts[chunk.stream] = False
        self._kept.append(_Kept(chunk=chunk, is_doubtful=is_doubtful))
        self._kept_bytes += len(chunk.line)
        while self._kept_bytes > MAX_TAIL_BYTES:
            self._kept_bytes -= len(self._kept.popleft().chunk.line)
            self._is_full = True
