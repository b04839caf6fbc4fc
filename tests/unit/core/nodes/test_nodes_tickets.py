"""Tickets between server processes: good for one process, once, for a minute, with the keys of the installation."""

from dataclasses import replace

import pytest

from spunto.adapters.crypto.keyring import MemoryKeyring, new_key
from spunto.adapters.crypto.seal import KeyringSeal
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Unauthenticated
from spunto.core.nodes.model import ReplicaId
from spunto.core.nodes.tickets import LEEWAY_SECONDS, Ticket, Turnstile

ONE, OTHER = ReplicaId("rpl_one"), ReplicaId("rpl_other")
KEY, NEWER = new_key(), new_key()
SEAL = KeyringSeal(MemoryKeyring(KEY))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def turnstile(clock: ManualClock) -> Turnstile:
    return Turnstile(own_id=OTHER, timeline_id="t", seal=SEAL, clock=clock)


def a_ticket(clock: ManualClock) -> Ticket:
    return Ticket.new(from_id=ONE, to_id=OTHER, timeline_id="t", clock=clock)


def test_a_good_ticket_tells_who_comes_and_is_good_once(clock: ManualClock, turnstile: Turnstile) -> None:
    ticket = a_ticket(clock)

    assert turnstile.admit(ticket.header(SEAL)) == ONE
    with pytest.raises(Unauthenticated):
        turnstile.admit(ticket.header(SEAL))
    assert turnstile.admit(a_ticket(clock).header(SEAL)) == ONE


@pytest.mark.parametrize(
    "changes",
    [{"to_id": ONE}, {"from_id": OTHER}, {"timeline_id": "older"}, {"at": 0}, {"nonce": "other"}],
    ids=lambda changes: str(next(iter(changes))),
)
def test_nothing_of_it_may_be_changed(clock: ManualClock, turnstile: Turnstile, changes: dict[str, object]) -> None:
    ticket = a_ticket(clock)
    seal = ticket.header(SEAL).split(" ")[-1]
    changed = replace(ticket, **changes)  # type: ignore[arg-type]  # each of its own type
    header = " ".join([*changed.header(SEAL).split(" ")[:-1], seal])
    if "timeline_id" in changes:
        header = changed.header(SEAL)

    with pytest.raises(Unauthenticated):
        turnstile.admit(header)


def test_a_ticket_for_another_process_is_not_good_here(clock: ManualClock, turnstile: Turnstile) -> None:
    with pytest.raises(Unauthenticated):
        turnstile.admit(replace(a_ticket(clock), to_id=ONE).header(SEAL))


@pytest.mark.parametrize("seconds", [-LEEWAY_SECONDS - 2, LEEWAY_SECONDS + 2])
def test_a_ticket_of_another_minute_is_not_good(clock: ManualClock, turnstile: Turnstile, seconds: float) -> None:
    at = a_ticket(clock).at
    header = replace(a_ticket(clock), at=int(at + seconds)).header(SEAL)

    with pytest.raises(Unauthenticated):
        turnstile.admit(header)


def test_only_the_installation_s_keys_are_good_and_older_ones_are(clock: ManualClock) -> None:
    rotated = Turnstile(own_id=OTHER, timeline_id="t", seal=KeyringSeal(MemoryKeyring(NEWER, KEY)), clock=clock)

    assert rotated.admit(a_ticket(clock).header(SEAL)) == ONE
    with pytest.raises(Unauthenticated):
        rotated.admit(a_ticket(clock).header(KeyringSeal(MemoryKeyring(new_key()))))


@pytest.mark.parametrize(
    "header", ["", "Bearer x", "Spunto-Replica", "Spunto-Replica a b c d e", "Spunto-Replica a b 1 d é."]
)
def test_anything_else_is_not_good(turnstile: Turnstile, header: str) -> None:
    with pytest.raises(Unauthenticated):
        turnstile.admit(header)
