"""The session's rules: handshake, epochs, liveness, floods, priorities."""

import json

import pytest
from tests.unit.core.protocol.messages import a_hello, a_welcome, observed
from tests.unit.core.protocol.sessions import a_greeting_pair, an_open_pair

from spunto.core.protocol import closing
from spunto.core.protocol.codec import encode
from spunto.core.protocol.events import Closed, HelloReceived, MessageReceived, Welcomed
from spunto.core.protocol.messages import (
    Credit,
    Desired,
    DesiredItem,
    Eof,
    Forget,
    Goodbye,
    Message,
    Open,
    Ping,
    Pong,
    Wanted,
)
from spunto.core.protocol.session import Role, Session, SessionSettings


def test_the_handshake_ends_with_the_same_welcome_on_both_sides() -> None:
    pair = a_greeting_pair()

    pair.exchange()
    pair.server.accept(a_welcome(), now=0)
    pair.exchange()

    assert pair.server_events == [HelloReceived(a_hello(), 2)]
    assert pair.agent_events == [Welcomed(a_welcome())]
    assert pair.agent.welcome == pair.server.welcome == a_welcome()
    assert pair.agent.epoch == pair.server.epoch == 7


def test_the_highest_common_protocol_is_chosen() -> None:
    pair = a_greeting_pair(server=SessionSettings(protocol_min=2, protocol_max=5), protocol_min=3, protocol_max=4)

    pair.exchange()

    assert pair.server_events == [HelloReceived(pair.agent.hello or a_hello(), 4)]


@pytest.mark.parametrize("extra", [{}, {"aFieldOfTheFuture": 1}])
def test_without_a_common_protocol_both_ranges_are_named(extra: dict[str, int]) -> None:
    server = Session(Role.SERVER, now=0)
    hello = json.loads(encode(a_hello(protocol_min=7, protocol_max=9))) | extra

    assert server.receive(json.dumps(hello), 0) == []

    assert server.closed == Closed(
        code=4400, reason="protocol_unsupported", message="The agent speaks protocol 7 to 9, this server 2 to 2."
    )
    assert json.loads(server.next_frame(0) or "")["type"] == "goodbye"
    assert server.next_frame(0) is None


def test_a_field_that_a_newer_agent_adds_is_passed_over() -> None:
    server = Session(Role.SERVER, now=0)

    events = server.receive(json.dumps(json.loads(encode(a_hello())) | {"more": 1}), 0)

    assert events == [HelloReceived(a_hello(), 2)]


@pytest.mark.parametrize("message", [observed("w"), Ping(nonce=1, sent_at=0), a_welcome(), Eof(stream=1)])
def test_the_server_hears_nothing_before_a_hello(message: Message) -> None:
    server = Session(Role.SERVER, now=0)

    server.receive(encode(message), 0)

    assert server.closed is not None
    assert server.closed.code == closing.BAD_PROTOCOL


@pytest.mark.parametrize("message", [a_hello(), observed("w")])
def test_the_server_hears_nothing_between_hello_and_welcome(message: Message) -> None:
    server = Session(Role.SERVER, now=0)
    server.receive(encode(a_hello()), 0)

    server.receive(encode(message), 0)

    assert server.closed is not None
    assert server.closed.code == closing.BAD_PROTOCOL


@pytest.mark.parametrize("message", [a_welcome(protocol=3), a_hello(), Forget(epoch=7, ids=())])
def test_the_agent_takes_only_a_welcome_that_it_offered(message: Message) -> None:
    agent = Session(Role.AGENT, now=0, hello=a_hello())

    agent.receive(encode(message), 0)

    assert agent.closed is not None
    assert agent.closed.code == closing.BAD_PROTOCOL


@pytest.mark.parametrize("said_hello", [False, True])
def test_a_handshake_that_takes_too_long_ends(said_hello: bool) -> None:
    pair = a_greeting_pair()
    if said_hello:
        pair.exchange()

    pair.pass_seconds(9.9)
    assert (pair.agent.closed, pair.server.closed) == (None, None)
    pair.pass_seconds(0.1)

    assert pair.agent.closed is not None
    assert pair.server.closed is not None
    assert (pair.server.closed.code, pair.server.closed.reason) == (closing.SILENT, "handshake_timeout")


def test_a_lower_epoch_is_dropped() -> None:
    pair = an_open_pair()

    events = pair.server.receive(encode(observed("w", epoch=6)), 0)

    assert (events, pair.server.closed) == ([], None)


def test_a_higher_epoch_is_a_violation() -> None:
    pair = an_open_pair()

    pair.server.receive(encode(observed("w", epoch=8)), 0)

    assert pair.server.closed is not None
    assert pair.server.closed.code == closing.BAD_PROTOCOL


def test_each_side_says_only_what_is_its_part() -> None:
    pair = an_open_pair()

    pair.server.receive(encode(Forget(epoch=7, ids=("w",))), 0)
    pair.agent.receive(encode(observed("w")), 0)

    assert pair.server.closed is not None
    assert pair.agent.closed is not None


def test_a_second_welcome_or_hello_is_a_violation() -> None:
    pair = an_open_pair()

    pair.server.receive(encode(a_hello()), 0)
    pair.agent.receive(encode(a_welcome()), 0)

    assert pair.server.closed is not None
    assert pair.agent.closed is not None


def test_state_arrives_as_it_was_sent() -> None:
    pair = an_open_pair()

    pair.agent.send(observed("w1", "w2"))
    pair.exchange()

    assert [event.message for event in pair.server_events if isinstance(event, MessageReceived)] == [
        observed("w1", "w2")
    ]


def test_a_desired_set_sent_in_parts_arrives_as_one() -> None:
    pair = an_open_pair()
    items = tuple(
        DesiredItem(kind="worker", id=f"w{i}", generation=1, wanted=Wanted.PRESENT, spec={"x": "y" * 60_000})
        for i in range(100)
    )
    desired = Desired(epoch=7, revision=1, whole=True, items=items)

    pair.server.send(desired)
    pair.exchange()

    assert [event.message for event in pair.agent_events if isinstance(event, MessageReceived)] == [desired]


def test_both_sides_ping_each_heartbeat_and_learn_the_round_trip() -> None:
    pair = an_open_pair()

    pair.pass_seconds(15)
    pair.to_server()
    pair.now += 0.25
    pair.exchange()

    assert pair.agent.rtt_seconds == pair.server.rtt_seconds == 0.25
    assert pair.agent.next_tick_at == 30


def test_a_pong_that_answers_no_ping_says_nothing() -> None:
    pair = an_open_pair()
    pair.pass_seconds(15)

    pair.server.receive(encode(Pong(nonce=5, sent_at=-1e300)), 15)

    assert pair.server.rtt_seconds is None


def test_a_peer_that_is_silent_for_three_heartbeats_is_dead() -> None:
    pair = an_open_pair()
    for _ in range(44):
        pair.pass_seconds(1)
    assert pair.server.closed is None

    pair.pass_seconds(1)

    assert pair.server.closed is not None
    assert (pair.server.closed.code, pair.server.closed.reason) == (closing.SILENT, "peer_silent")


def test_any_frame_is_a_sign_of_life() -> None:
    pair = an_open_pair()

    for _ in range(20):
        pair.pass_seconds(10)
        pair.exchange()

    assert (pair.agent.closed, pair.server.closed) == (None, None)


def test_a_frame_that_can_not_be_sent_for_three_heartbeats_ends_the_session() -> None:
    pair = an_open_pair()
    pair.server.send(Forget(epoch=7, ids=()))
    pair.server.next_frame(pair.now)

    for _ in range(3):
        pair.pass_seconds(15)
        pair.to_server()

    assert pair.server.closed is not None
    assert (pair.server.closed.code, pair.server.closed.reason) == (closing.BUSY, "peer_not_reading")


def test_the_agent_takes_the_heartbeat_from_the_welcome() -> None:
    pair = an_open_pair(heartbeat_seconds=1.0)

    pair.pass_seconds(1)
    pair.pass_seconds(2)

    assert pair.agent.closed is not None
    assert pair.agent.closed.reason == "peer_silent"


def test_a_flood_of_frames_ends_the_session() -> None:
    pair = an_open_pair()
    pings = 0
    while pair.server.closed is None:
        pair.server.receive(encode(Ping(nonce=1, sent_at=0)), 0)
        pair.to_agent()
        pings += 1

    # A burst of 2000 in which the Hello was one.
    assert pings == 2000
    assert (pair.server.closed.code, pair.server.closed.reason) == (closing.FLOODING, "too_many_frames")


def test_long_silence_allows_no_greater_burst() -> None:
    pair = an_open_pair()

    for _ in range(2001):
        pair.server.receive(encode(Ping(nonce=1, sent_at=0)), 3600)
        pair.to_agent()

    assert pair.server.closed is not None
    assert pair.server.closed.reason == "too_many_frames"


def test_two_hundred_frames_a_second_are_no_flood() -> None:
    pair = an_open_pair()

    for second in range(60):
        for _ in range(200):
            pair.server.receive(encode(Ping(nonce=1, sent_at=0)), second)
        pair.to_agent()

    assert pair.server.closed is None


def test_credit_in_small_change_counts_as_a_flood() -> None:
    pair = an_open_pair()
    stream = pair.server.streams.open("exec", {})
    pair.server.streams.write(stream, bytes(5000))
    pair.exchange()

    for _ in range(2001):
        pair.server.receive(encode(Credit(stream=stream, bytes=1)), 0)

    assert pair.server.closed is not None
    assert pair.server.closed.reason == "too_many_frames"


def test_a_backlog_that_nobody_takes_off_ends_the_session() -> None:
    pair = an_open_pair()

    for _ in range(1025):
        pair.server.send(Forget(epoch=7, ids=()))

    assert pair.server.closed is not None
    assert (pair.server.closed.code, pair.server.closed.reason) == (closing.BUSY, "backlog_full")
    assert json.loads(pair.server.next_frame(0) or "")["type"] == "goodbye"
    assert pair.server.next_frame(0) is None


def test_goodbye_reaches_the_peer_before_all_that_waited() -> None:
    pair = an_open_pair()
    pair.server.send(Forget(epoch=7, ids=()))

    pair.server.close(closing.RESTARTING, "restarting", message="Back soon.", retry_after_seconds=1)
    pair.exchange()

    assert pair.agent_events == []
    assert pair.agent.closed == Closed(
        code=1012, reason="restarting", message="Back soon.", retry_after_seconds=1, by_peer=True
    )


def test_nothing_is_heard_or_said_after_the_end() -> None:
    pair = an_open_pair()
    pair.agent.receive(encode(Goodbye(code=1000, reason="done")), 0)

    pair.agent.send(observed("w"))
    pair.agent.close(1012, "late")

    assert pair.agent.next_frame(0) is None
    assert pair.agent.receive(encode(Open(stream=2, kind="exec")), 0) == []
    assert pair.agent.closed == Closed(code=1000, reason="done", by_peer=True)


def test_control_overtakes_data() -> None:
    pair = an_open_pair()
    stream = pair.agent.streams.open("logs", {})
    pair.exchange()
    pair.agent.streams.write(stream, b"x")

    pair.agent.send(observed("w"))

    assert isinstance(pair.agent.next_frame(0), str)
    assert isinstance(pair.agent.next_frame(0), bytes)
