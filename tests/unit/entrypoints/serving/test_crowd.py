"""Who has to go when there is no more room."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from subprocess import run

import pytest
from structlog.testing import capture_logs

from spunto.core.kernel.clock import ManualClock
from spunto.entrypoints.serving.crowd import Crowd

Enter = Callable[..., list[bool]]


@dataclass(eq=False, slots=True, kw_only=True)
class Visitor:
    address: str
    awaits_client: bool = True
    has_left: bool = field(default=False, init=False)

    def leave(self) -> None:
        self.has_left = True


@pytest.fixture
def let_in() -> Iterator[Enter]:
    with ExitStack() as inside:

        def enter(crowd: Crowd, *visitors: Visitor) -> list[bool]:
            return [inside.enter_context(crowd.entered(visitor)) for visitor in visitors]

        yield enter


def a_crowd(capacity: int) -> Crowd:
    return Crowd(capacity, monotonic=ManualClock().monotonic)


def test_nobody_goes_while_there_is_room(let_in: Enter) -> None:
    crowd, visitors = a_crowd(3), [Visitor(address="a") for _ in range(3)]

    assert let_in(crowd, *visitors) == [True, True, True]
    assert not any(visitor.has_left for visitor in visitors)


def test_the_address_with_most_silent_sockets_loses_its_oldest(let_in: Enter) -> None:
    crowd = a_crowd(4)
    alone, first, second, third = Visitor(address="b"), *(Visitor(address="a") for _ in range(3))
    let_in(crowd, alone, first, second, third)

    assert let_in(crowd, Visitor(address="c")) == [True]
    assert [visitor.has_left for visitor in (alone, first, second, third)] == [False, True, False, False]


def test_whoever_is_served_keeps_the_place(let_in: Enter) -> None:
    crowd = a_crowd(2)
    served = [Visitor(address="a", awaits_client=False) for _ in range(2)]
    let_in(crowd, *served)

    assert let_in(crowd, Visitor(address="b")) == [False]
    assert not any(visitor.has_left for visitor in served)
    assert len(crowd) == 2


def test_a_flood_is_one_line_of_log(let_in: Enter) -> None:
    crowd = a_crowd(1)

    with capture_logs() as logged:
        let_in(crowd, *(Visitor(address="a") for _ in range(100)))

    assert [line["event"] for line in logged] == ["connections_scarce"]


def test_an_address_that_has_its_share_loses_its_own_oldest(let_in: Enter) -> None:
    crowd = Crowd(9, monotonic=ManualClock().monotonic, each_at_most=lambda address: 2 if address == "a" else 9)
    first, second, other = Visitor(address="a"), Visitor(address="a"), Visitor(address="b")

    assert let_in(crowd, other, first, second) == [True, True, True]
    assert let_in(crowd, Visitor(address="a"), Visitor(address="b")) == [True, True]
    assert [visitor.has_left for visitor in (other, first, second)] == [False, True, False]


def test_an_address_whose_share_is_being_served_gets_no_more(let_in: Enter) -> None:
    crowd = Crowd(9, monotonic=ManualClock().monotonic, each_at_most=lambda _: 1)
    let_in(crowd, Visitor(address="b"))
    with crowd.entered(Visitor(address="a", awaits_client=False)):
        assert let_in(crowd, Visitor(address="a")) == [False]

    assert let_in(crowd, Visitor(address="a")) == [True]


def test_there_are_never_more_than_the_system_has_descriptors_for() -> None:
    told = run(
        [
            sys.executable,
            "-c",
            "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1000))\n"
            "from spunto.entrypoints.serving.crowd import connections_at_most as at_most\n"
            "print(at_most(), at_most(descriptors_each=2))",
        ],
        capture_output=True,
        check=True,
    )

    assert told.stdout.split() == [b"875", b"437"]
