"""Attaching a terminal again: not a byte lost, not a byte twice."""

from hypothesis import given
from hypothesis import strategies as st

from spunto.client.terminal_track import TerminalTrack


def test_the_first_attachment_begins_where_the_server_says() -> None:
    track = TerminalTrack()

    missed_bytes = track.attached(session="s", offset=100)

    assert (missed_bytes, track.accept(b"abc"), track.offset) == (0, b"abc", 103)


def test_what_was_read_already_is_dropped() -> None:
    track = TerminalTrack()
    track.attached(session="s", offset=0)
    track.accept(b"abcdef")

    track.attached(session="s", offset=2)

    assert [track.accept(b"cd"), track.accept(b"efgh"), track.accept(b"i")] == [b"", b"gh", b"i"]


def test_what_the_node_no_longer_has_is_counted() -> None:
    track = TerminalTrack()
    track.attached(session="s", offset=0)
    track.accept(b"abc")

    assert track.attached(session="s", offset=10) == 7


def test_what_is_skipped_on_the_way_is_not_waited_for() -> None:
    track = TerminalTrack()
    track.attached(session="s", offset=0)
    track.accept(b"abc")

    track.skipped(10)

    assert (track.accept(b"klm"), track.offset) == (b"klm", 13)


def test_a_session_that_goes_on_begins_where_the_server_says() -> None:
    track = TerminalTrack("s")

    assert (track.offset, track.attached(session="s", offset=40), track.accept(b"a")) == (None, 0, b"a")


def test_another_session_begins_anew() -> None:
    track = TerminalTrack()
    track.attached(session="s", offset=0)
    track.accept(b"abcdef")

    missed_bytes = track.attached(session="t", offset=0)

    assert (missed_bytes, track.accept(b"xyz"), track.session, track.offset) == (0, b"xyz", "t", 3)


@given(
    output=st.binary(min_size=1, max_size=200),
    # Each attachment: how far back the server begins, and in which pieces it sends before the connection breaks.
    attachments=st.lists(st.tuples(st.integers(0, 50), st.lists(st.integers(0, 40), max_size=5)), max_size=8),
)
def test_however_often_it_breaks_the_output_is_whole(output: bytes, attachments: list[tuple[int, list[int]]]) -> None:
    track = TerminalTrack()
    read = b""

    for back, pieces in [*attachments, (0, [len(output)])]:
        at = max(0, (track.offset or 0) - back)
        assert track.attached(session="s", offset=at) == 0
        for piece in pieces:
            read += track.accept(output[at : at + piece])
            at += len(output[at : at + piece])

    assert read == output
