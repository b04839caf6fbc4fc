"""Log frames become lines, however the engine cut them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from spunto.adapters.runtimes.log_lines import MAX_LINE_BYTES, LogLines
from spunto.core.executor.runtime import LogChunk

STAMP = b"2026-11-24T04:00:37.846043326Z "
AT = datetime(2026, 11, 24, 4, 0, 37, 846043, tzinfo=UTC)
printable = st.text(st.characters(codec="ascii", exclude_characters="\n"), max_size=50)


@given(st.lists(st.lists(printable, min_size=1, max_size=4), max_size=5))
def test_pieces_of_a_line_are_put_together(pieces: Sequence[Sequence[str]]) -> None:
    lines = LogLines()
    seen: list[LogChunk | None] = []

    for line in pieces:
        for piece in line[:-1]:
            assert lines.feed("stdout", STAMP + piece.encode()) is None
        seen.append(lines.feed("stdout", STAMP + line[-1].encode() + b"\n"))

    assert seen == [LogChunk(at=AT, stream="stdout", line="".join(line)) for line in pieces]
    assert lines.rest() == []


def test_pieces_of_the_two_streams_do_not_mix() -> None:
    lines = LogLines()

    lines.feed("stdout", STAMP + b"o")
    err = lines.feed("stderr", STAMP + b"e\n")

    assert err == LogChunk(at=AT, stream="stderr", line="e")
    assert lines.rest() == [LogChunk(at=AT, stream="stdout", line="o")]


def test_a_line_without_end_takes_bounded_memory_and_its_cut_is_marked() -> None:
    lines = LogLines()

    for _ in range(20):
        lines.feed("stdout", STAMP + b"x" * 16 * 1024)

    kept = "x" * MAX_LINE_BYTES
    missing_bytes = 20 * 16 * 1024 - MAX_LINE_BYTES
    assert [chunk.line for chunk in lines.rest()] == [
        f"{kept} [spunto: {missing_bytes} bytes of this line are left out]"
    ]


@given(st.binary(max_size=200))
def test_no_frame_breaks_the_reader(frame: bytes) -> None:
    LogLines().feed("stdout", frame)
