"""What binds the end of a sign-in to its beginning."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.orgs.flow import FLOW_LIFETIME, Flow, flow_in, new_flow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FLOW = Flow(key=b"k" * 32, started_at=int(NOW.timestamp()), next_path="/a?b=c")


def test_a_flow_comes_back_from_its_cookie() -> None:
    assert flow_in(FLOW.to_cookie().reveal()) == FLOW


def test_every_flow_is_another_one() -> None:
    first, second = new_flow("/", NOW), new_flow("/", NOW)

    told = {first.state, first.nonce, first.verifier.reveal(), second.state, second.nonce, second.verifier.reveal()}
    assert len(told) == 6


def test_the_challenge_is_the_verifiers_s256() -> None:
    digest = hashlib.sha256(FLOW.verifier.reveal().encode()).digest()

    assert base64.urlsafe_b64decode(f"{FLOW.challenge}=") == digest
    assert 43 <= len(FLOW.verifier.reveal()) <= 128


def test_only_its_own_state_answers_a_flow() -> None:
    assert FLOW.answers(FLOW.state, NOW)
    for state in ("", FLOW.state[:-1], FLOW.nonce, new_flow("/a?b=c", NOW).state, "ü"):
        assert not FLOW.answers(state, NOW)


def test_where_to_go_on_and_when_it_began_are_bound_to_the_state() -> None:
    assert not replace(FLOW, next_path="/elsewhere").answers(FLOW.state, NOW)
    assert not replace(FLOW, started_at=FLOW.started_at + 60).answers(FLOW.state, NOW)


def test_a_flow_ends_after_ten_minutes_and_none_began_in_the_future() -> None:
    assert FLOW.answers(FLOW.state, NOW + FLOW_LIFETIME - timedelta(seconds=1))
    assert not FLOW.answers(FLOW.state, NOW + FLOW_LIFETIME)
    assert not FLOW.answers(FLOW.state, NOW - timedelta(minutes=1))


@pytest.mark.parametrize(
    "cookie", ["", "..", "1.2.3", "1..Lw", "x.a2tr.Lw", "1.a2tr.Lw", FLOW.to_cookie().reveal() + "=", "1.\xe4.Lw"]
)
def test_a_cookie_that_we_did_not_write_is_none(cookie: str) -> None:
    assert flow_in(cookie) is None


@given(st.text(max_size=200))
def test_no_cookie_breaks_the_reading(cookie: str) -> None:
    flow = flow_in(cookie)

    assert flow is None or flow.to_cookie().reveal() == cookie
