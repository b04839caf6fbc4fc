"""The streams' rules: order, credit, turns, half-close, reset, and that everything is forgotten in the end."""

from typing import Any

import pytest
from tests.unit.core.protocol.sessions import SMALL, WINDOW, Pair, an_open_pair

from spunto.core.kernel.errors import Conflict, Unavailable
from spunto.core.protocol.codec import decode, encode
from spunto.core.protocol.events import StreamEnd, StreamOpened, StreamReady
from spunto.core.protocol.messages import (
    Credit,
    Data,
    Eof,
    Limits,
    Open,
    Reset,
    StreamControl,
    StreamMessage,
)
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.session import Session


def everything(session: Session, stream: int) -> list[Any]:
    """All that can be taken now, bytes joined."""
    pieces: list[Any] = []
    while (piece := session.streams.take(stream)) is not None:
        if isinstance(piece, bytes) and pieces and isinstance(pieces[-1], bytes):
            pieces[-1] += piece
        else:
            pieces.append(piece)
        if isinstance(piece, StreamEnd):
            break
    return pieces


def an_open_stream(**limits: int) -> tuple[Pair, int]:
    """A stream that the server opened and the agent knows."""
    pair = an_open_pair(limits=Limits(**limits))
    stream = pair.server.streams.open("exec", {"command": ["sh"]})
    pair.exchange()
    pair.agent_events.clear()
    return pair, stream


def test_a_stream_opens_with_its_kind_and_parameters() -> None:
    pair = an_open_pair()

    ids = [pair.server.streams.open("exec", {"x": 1}), pair.server.streams.open("logs", {})]
    pair.agent.streams.open("terminal", {})
    pair.exchange()

    assert pair.agent_events == [StreamOpened(ids[0], "exec", {"x": 1}), StreamOpened(ids[1], "logs", {})]
    assert pair.server_events == [StreamOpened(1, "terminal", {})]


def test_data_controls_and_end_keep_their_order() -> None:
    pair, stream = an_open_stream()

    pair.server.streams.write(stream, b"one ")
    pair.server.streams.write(stream, b"two")
    assert pair.server.streams.write_control(stream, {"resize": [80, 24]})
    pair.server.streams.write(stream, b"three")
    pair.server.streams.write_eof(stream)
    pair.exchange()

    assert everything(pair.agent, stream) == [b"one two", {"resize": [80, 24]}, b"three", StreamEnd()]


def test_one_direction_goes_on_after_the_other_has_ended() -> None:
    pair, stream = an_open_stream()

    pair.server.streams.write_eof(stream)
    pair.exchange()
    pair.agent.streams.write(stream, b"answer")
    pair.agent.streams.write_eof(stream)
    pair.exchange()

    assert everything(pair.server, stream) == [b"answer", StreamEnd()]


def test_a_stream_is_quiet_while_nothing_waits_to_be_read() -> None:
    pair, stream = an_open_stream()
    quiet = [pair.agent.streams.is_quiet(stream)]

    pair.server.streams.write(stream, b"one")
    pair.exchange()
    quiet.append(pair.agent.streams.is_quiet(stream))
    pair.agent.streams.take(stream)
    quiet.append(pair.agent.streams.is_quiet(stream))
    pair.server.streams.write_eof(stream)
    pair.exchange()
    quiet.append(pair.agent.streams.is_quiet(stream))
    pair.agent.streams.reset(stream, "done", "")

    assert [*quiet, pair.agent.streams.is_quiet(stream)] == [True, False, True, False, False]


def test_writing_stops_at_the_window_and_goes_on_as_the_reader_takes() -> None:
    pair, stream = an_open_stream(window_bytes=WINDOW)
    pair.server.streams.write(stream, bytes(WINDOW))
    pair.exchange()
    assert pair.server.streams.room(stream) == 0

    pair.agent.streams.take(stream)
    pair.exchange()

    assert pair.server.streams.room(stream) == WINDOW
    assert pair.server_events == [StreamReady(stream)]


def test_a_control_waits_for_credit_too() -> None:
    pair, stream = an_open_stream(window_bytes=WINDOW)
    pair.server.streams.write(stream, bytes(WINDOW - 100))

    assert not pair.server.streams.write_control(stream, {"exit": 0})


def test_streams_take_turns() -> None:
    pair = an_open_pair()
    first, second = pair.server.streams.open("logs", {}), pair.server.streams.open("logs", {})
    pair.exchange()
    for _ in range(2):
        pair.server.streams.write(first, bytes(64 * 1024))
    pair.server.streams.write(second, b"x")

    frames = [pair.server.next_frame(0) for _ in range(3)]

    assert [int.from_bytes(frame[:4], "big") for frame in frames if isinstance(frame, bytes)] == [first, second, first]


def test_a_reset_overtakes_and_drops_what_was_not_sent() -> None:
    pair, stream = an_open_stream()
    pair.server.streams.write(stream, b"lost")

    pair.server.streams.reset(stream, "aborted", "No need any more.")
    pair.exchange()

    assert everything(pair.agent, stream) == [
        StreamEnd(Reset(stream=stream, code="aborted", message="No need any more."))
    ]
    with pytest.raises(StreamReset) as raised:
        pair.agent.streams.room(stream)
    assert (raised.value.code, raised.value.message) == ("aborted", "No need any more.")


def test_what_is_broken_off_breaks_off_behind_what_was_written() -> None:
    pair, stream = an_open_stream()
    pair.server.streams.write(stream, b"last words")

    pair.server.streams.break_off(stream, "connection_reset", "It broke.")
    pair.server.streams.break_off(stream, "other", "")
    pair.server.streams.close(stream)
    pair.exchange()

    end = StreamEnd(Reset(stream=stream, code="connection_reset", message="It broke."))
    assert everything(pair.agent, stream) == [b"last words", end]
    assert everything(pair.server, stream) == [StreamEnd()]
    pair.agent.streams.close(stream)
    pair.exchange()
    assert (len(pair.server.streams), len(pair.agent.streams)) == (0, 0)


def test_behind_an_end_a_break_is_a_reset() -> None:
    pair, stream = an_open_stream()
    pair.server.streams.write_eof(stream)
    pair.exchange()

    pair.server.streams.break_off(stream, "connection_reset", "")
    pair.exchange()

    assert everything(pair.agent, stream) == [StreamEnd()]
    assert pair.agent.streams.is_given_up(stream)


def test_data_on_its_way_to_a_stream_that_was_reset_is_dropped() -> None:
    pair, stream = an_open_stream()
    pair.agent.streams.write(stream, b"on its way")
    under_way = pair.agent.next_frame(0)
    pair.server.streams.reset(stream, "aborted", "")
    pair.to_agent()

    assert under_way is not None
    assert pair.server.receive(under_way, 0) == []
    pair.exchange()

    assert pair.server.closed is None


def test_closing_sends_what_was_written_and_then_stops_the_peer() -> None:
    pair, stream = an_open_stream()
    pair.server.streams.write(stream, b"last words")

    pair.server.streams.close(stream)
    pair.exchange()

    assert everything(pair.agent, stream) == [b"last words", StreamEnd()]
    with pytest.raises(StreamReset):
        pair.agent.streams.room(stream)
    assert len(pair.server.streams) == 0


def test_nothing_is_written_after_the_end() -> None:
    pair, stream = an_open_stream()
    pair.server.streams.write_eof(stream)

    with pytest.raises(Conflict):
        pair.server.streams.room(stream)


def test_a_stream_above_the_limit_is_refused() -> None:
    pair = an_open_pair(limits=SMALL)
    for id_ in (1, 3, 5, 7, 9):
        pair.server_events += pair.server.receive(encode(Open(stream=id_, kind="exec")), 0)
    refused = pair.server.next_frame(0)

    assert [event.stream for event in pair.server_events if isinstance(event, StreamOpened)] == [1, 3, 5, 7]
    assert refused is not None
    assert isinstance(reset := decode(refused), Reset)
    assert (reset.stream, reset.code) == (9, "too_many_streams")


def test_more_streams_than_the_limit_are_not_opened() -> None:
    pair = an_open_pair(limits=SMALL)
    for _ in range(4):
        pair.server.streams.open("exec", {})

    with pytest.raises(Unavailable, match="Too many streams"):
        pair.server.streams.open("exec", {})


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(Open(stream=2, kind="exec"), id="opens with our ids"),
        pytest.param(Open(stream=1, kind="exec"), id="opens again"),
        pytest.param(Eof(stream=9), id="ends what was never opened"),
        pytest.param(Eof(stream=8), id="ends what we never opened"),
        pytest.param(StreamControl(stream=9, body={}), id="speaks on what was never opened"),
        pytest.param(Credit(stream=1, bytes=1), id="credit for what was not sent"),
        pytest.param(StreamControl(stream=1, body={"x": "y" * 17_000}), id="too big a control"),
    ],
)
def test_what_a_stream_does_not_allow_is_a_violation(message: StreamMessage) -> None:
    pair = an_open_pair()
    pair.server.receive(encode(Open(stream=1, kind="exec")), 0)

    pair.server.receive(encode(message), 0)

    assert pair.server.closed is not None
    assert (pair.server.closed.code, pair.server.closed.reason) == (4400, "protocol_violation")


def test_a_stream_that_both_sides_ended_is_let_go_without_a_word() -> None:
    pair, stream = an_open_stream()
    for session in (pair.server, pair.agent):
        session.streams.write_eof(stream)
    pair.exchange()

    pair.server.streams.reset(stream, "aborted", "")

    assert pair.server.next_frame(0) is None


def test_a_stream_being_closed_keeps_nothing_that_comes_in() -> None:
    pair, stream = an_open_stream()
    pair.agent.streams.write(stream, b"before")
    pair.exchange()
    pair.server.streams.write(stream, b"last words")
    pair.server.streams.close(stream)

    assert pair.server.receive(encode(Data(stream, b"after")), 0) == []

    assert pair.server.streams.take(stream) is None


@pytest.mark.parametrize("after", [encode(Data(1, b"x")), encode(Eof(stream=1))], ids=["data", "eof"])
@pytest.mark.parametrize("last", [Eof(stream=1), Reset(stream=1, code="x")])
def test_nothing_comes_after_a_stream_s_end(last: Eof | Reset, after: str | bytes) -> None:
    pair = an_open_pair()
    pair.server.receive(encode(Open(stream=1, kind="exec")), 0)
    pair.server.receive(encode(last), 0)

    pair.server.receive(after, 0)

    assert pair.server.closed is not None


@pytest.mark.parametrize("reset_before", [False, True])
def test_data_beyond_credit_is_a_violation(reset_before: bool) -> None:
    pair = an_open_pair(limits=SMALL)
    pair.server.receive(encode(Open(stream=1, kind="exec")), 0)
    if reset_before:
        pair.server.streams.reset(1, "aborted", "")
    pair.server.receive(encode(Data(1, bytes(WINDOW))), 0)
    assert pair.server.closed is None

    pair.server.receive(encode(Data(1, b"x")), 0)

    assert pair.server.closed is not None
    assert "credit" in pair.server.closed.message


def test_a_peer_that_never_answers_resets_costs_bounded_memory() -> None:
    pair = an_open_pair(limits=SMALL)
    opened = 0
    while pair.server.closed is None and opened < 10_000:
        opened += 1
        pair.server.receive(encode(Open(stream=2 * opened - 1, kind="exec")), opened)
        while pair.server.next_frame(opened):
            pass

    assert opened <= 4096 + SMALL.max_streams + 1


def test_bytes_that_come_one_by_one_are_kept_together() -> None:
    pair = an_open_pair(limits=SMALL)
    pair.server.receive(encode(Open(stream=1, kind="exec")), 0)

    for _ in range(WINDOW):
        pair.server.receive(encode(Data(1, b"x")), 0)

    assert pair.server.streams.take(1) == b"x" * WINDOW
