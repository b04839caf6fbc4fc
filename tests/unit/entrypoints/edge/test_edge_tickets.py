"""A ticket lets one agent in, once and soon."""

from spunto.core.kernel.clock import ManualClock
from spunto.entrypoints.edge.tickets import LIFE_SECONDS, Tickets

NODE = "nod_01j00000000000000000000001"


def test_a_ticket_is_of_the_node_that_it_was_made_for() -> None:
    tickets = Tickets(ManualClock())
    mine, other = tickets.new(NODE), tickets.new("nod_other")

    assert (tickets.redeem(other.reveal()), tickets.redeem(mine.reveal())) == ("nod_other", NODE)


def test_a_ticket_is_good_once() -> None:
    tickets = Tickets(ManualClock())
    ticket = tickets.new(NODE).reveal()

    assert [tickets.redeem(ticket) for _ in range(3)] == [NODE, None, None]


def test_a_ticket_is_good_for_half_a_minute() -> None:
    clock = ManualClock()
    tickets = Tickets(clock)
    early, late = tickets.new(NODE), tickets.new(NODE)

    clock.advance(LIFE_SECONDS - 0.001)
    in_time = tickets.redeem(early.reveal())
    clock.advance(0.001)

    assert (in_time, tickets.redeem(late.reveal())) == (NODE, None)


def test_what_was_never_a_ticket_is_none() -> None:
    tickets = Tickets(ManualClock())
    ticket = tickets.new(NODE).reveal()

    assert [tickets.redeem(each) for each in ("", "x", ticket[:-1], f"{ticket}=", "ü", "\0")] == [None] * 6


def test_tickets_that_nobody_showed_are_forgotten() -> None:
    clock = ManualClock()
    tickets = Tickets(clock)
    for _ in range(100):
        tickets.new(NODE)

    clock.advance(LIFE_SECONDS)
    tickets.new(NODE)

    assert len(tickets) == 1


def test_a_ticket_has_256_bits_and_is_not_kept() -> None:
    tickets = Tickets(ManualClock())

    ticket = tickets.new(NODE)

    assert len(ticket.reveal()) == 43
    assert ticket.reveal() not in repr(vars(tickets))
