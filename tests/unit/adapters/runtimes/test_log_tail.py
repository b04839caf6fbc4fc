"""The last whole lines, from an engine that counts the pieces of lines."""

from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.adapters.runtimes import log_tail
from spunto.adapters.runtimes.log_tail import LogTail, attempts

STAMP = b"2026-11-24T04:00:37.846043326Z "
Frame = tuple[Literal["stdout", "stderr"], bytes]


def frames_of(line: str, *, pieces: int = 1, stream: Literal["stdout", "stderr"] = "stdout") -> list[Frame]:
    return [(stream, STAMP + line.encode())] * (pieces - 1) + [(stream, STAMP + line.encode() + b"\n")]


def tail_of(log: Sequence[Frame], lines: int) -> list[str]:
    """As the engine is asked: for so many of the last frames."""
    for attempt in attempts(lines):
        asked = len(log) if attempt.asked_frames is None else attempt.asked_frames
        for stream, frame in log[max(len(log) - asked, 0) :]:
            attempt.feed(stream, frame)
        found = attempt.end()
        if found is not None:
            return [chunk.line for chunk in found.lines]
    raise AssertionError


logs = st.lists(st.tuples(st.text("ab", min_size=1, max_size=3), st.integers(min_value=1, max_value=90)), max_size=40)


@given(logs, st.integers(min_value=1, max_value=50))
def test_lines_are_whole_and_as_many_as_asked_for(log: list[tuple[str, int]], lines: int) -> None:
    frames = [frame for line, pieces in log for frame in frames_of(line, pieces=pieces)]

    assert tail_of(frames, lines) == [line * pieces for line, pieces in log][-lines:]


def test_the_only_line_of_the_other_stream_is_not_lost() -> None:
    log = [*(frame for number in range(100) for frame in frames_of(str(number))), *frames_of("why", stream="stderr")]

    assert tail_of(log, 2) == ["99", "why"]


def test_the_newest_of_too_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "MAX_TAIL_BYTES", 5)
    tail = LogTail(lines=100, asked_frames=None)
    for line in ("aa", "bb", "cc"):
        for stream, frame in frames_of(line):
            tail.feed(stream, frame)

    found = tail.end()
    assert found is not None
    assert [chunk.line for chunk in found.lines] == ["bb", "cc"]


def test_lines_of_the_same_moment_that_are_left_out_are_counted() -> None:
    tail = LogTail(lines=2, asked_frames=None)
    for at, line in ((b"2026-01-01T00:00:00Z ", b"a"), (STAMP, b"b"), (STAMP, b"b"), (STAMP, b"b"), (STAMP, b"b")):
        tail.feed("stdout", at + line + b"\n")

    found = tail.end()
    assert found is not None
    assert ([chunk.line for chunk in found.lines], found.same_moment_before) == (["b", "b"], 2)
