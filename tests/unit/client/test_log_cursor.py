"""Following a log anew: not a line twice."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from spunto.client.log_lines import LogLine, lines_of
from spunto.client.logs import LogCursor

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def a_line(second: int, text: str = "x") -> LogLine:
    return LogLine(at=BEGIN + timedelta(seconds=second), line=text)


def test_equal_lines_of_one_moment_are_different_lines() -> None:
    cursor = LogCursor()

    assert [cursor.admits(a_line(1)), cursor.admits(a_line(1))] == [True, True]


def test_a_line_without_a_time_is_always_new() -> None:
    cursor = LogCursor()
    cursor.admits(a_line(1))

    cursor.resume()

    assert cursor.admits(LogLine(line="x"))


@given(
    steps=st.lists(st.integers(0, 2), max_size=40),
    # Each connection: how many lines it brings, and how many of earlier moments the server has forgotten.
    breaks=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=6),
)
def test_however_often_it_breaks_every_line_comes_once(steps: list[int], breaks: list[tuple[int, int]]) -> None:
    seconds = 0
    log = []
    for number, step in enumerate(steps):
        seconds += step
        log.append(a_line(seconds, str(number)))
    cursor = LogCursor()
    read: list[LogLine] = []

    for sent, forgotten in [*breaks, (len(log), 0)]:
        earlier = sum(1 for line in log if line.at is not None and cursor.since is not None and line.at < cursor.since)
        served = log[min(forgotten, earlier) :]
        read += [line for line in served[:sent] if cursor.admits(line)]
        cursor.resume()

    assert read == log


def test_lines_are_read_from_ndjson() -> None:
    text = '{"at": "2026-01-01T00:00:01Z", "stream": "stderr", "line": "x"}\n\n{"line": "y", "level": 3}\n'

    first, second = lines_of(text)

    assert first == LogLine(at=BEGIN + timedelta(seconds=1), stream="stderr", line="x")
    assert (second.at, second.stream, second.line) == (None, "stdout", "y")
