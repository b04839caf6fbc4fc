"""Following events over lost connections."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice

import pytest
from tests.unit.client.test_watching import HurriedClock

from spunto.client.errors import BadCredential, NotAllowed, NotThere, ServerUnreachable, UnexpectedAnswer, error_of
from spunto.client.following import EventsLost, followed
from spunto.core.kernel.errors import SpuntoError

AWAY = ServerUnreachable("server_unreachable", "away")
GONE = error_of(401, {}, b"")


def event(sequence: int) -> bytes:
    said = f'"id":"evt_{sequence}","sequence":{sequence},"orgId":"org_1","type":"node.created","subjectId":"nod_1"'
    return f'id: {sequence}\ndata: {{{said},"at":"2026-01-01T00:00:00Z"}}\n\n'.encode()


def place(kind: str, sequence: int) -> bytes:
    return f'id: {sequence}\nevent: {kind}\ndata: {{"sequence":{sequence}}}\n\n'.encode()


class Server:
    """Answers each connection with the next of `answers`: pieces, which may end in an error, or a refusal."""

    def __init__(self, *answers: Sequence[bytes | SpuntoError] | SpuntoError) -> None:
        self.answers = list(answers)
        self.asked: list[int | None] = []

    @asynccontextmanager
    async def connect(self, after: int | None) -> AsyncIterator[AsyncIterator[bytes]]:
        self.asked.append(after)
        answer = self.answers.pop(0)
        if isinstance(answer, SpuntoError):
            raise answer
        yield self._pieces(answer)

    async def _pieces(self, pieces: Sequence[bytes | SpuntoError]) -> AsyncIterator[bytes]:
        for piece in pieces:
            if isinstance(piece, SpuntoError):
                raise piece
            yield piece


async def told(server: Server, clock: HurriedClock, *, after: int | None = None) -> tuple[list[int], SpuntoError]:
    """The numbers that were heard, and what following ended with."""
    heard: list[int] = []
    following = followed(server.connect, after=after, clock=clock)
    try:
        while True:
            heard.append((await anext(following)).sequence)
    except SpuntoError as error:
        return heard, error


async def test_it_goes_on_behind_the_last_event_that_was_whole() -> None:
    half = event(3)[:-1]
    server = Server([event(1) + event(2) + half, AWAY], AWAY, [event(3)], GONE)

    heard, end = await told(server, HurriedClock(), after=0)

    assert (heard, end) == ([1, 2, 3], GONE)
    assert server.asked == [0, 2, 2, 3]


async def test_who_names_no_place_begins_at_the_present_and_keeps_it() -> None:
    server = Server([place("position", 7)], [event(8)], GONE)

    heard, _ = await told(server, HurriedClock())

    assert heard == [7, 8]
    assert server.asked == [None, 7, 8]


@pytest.mark.parametrize(("status", "kind"), [(401, BadCredential), (403, NotAllowed), (404, NotThere)])
async def test_a_refusal_is_the_end(status: int, kind: type[SpuntoError]) -> None:
    _, end = await told(Server([event(1)], error_of(status, {}, b"")), HurriedClock(), after=0)

    assert type(end) is kind


async def test_a_place_that_is_not_kept_any_more_is_the_end() -> None:
    _, end = await told(Server([place("reset", 9)]), HurriedClock(), after=3)

    assert isinstance(end, EventsLost)
    assert (end.code, end.sequence, end.fields) == ("events_lost", 9, {"sequence": 9})


async def test_a_server_that_never_was_there_is_the_end() -> None:
    _, end = await told(Server(AWAY), HurriedClock(), after=3)

    assert end is AWAY


async def test_an_event_that_is_none_is_the_end() -> None:
    _, end = await told(Server([b"data: {}\n\n"]), HurriedClock(), after=3)

    assert isinstance(end, UnexpectedAnswer)


async def test_what_a_later_server_says_is_passed_over() -> None:
    heard, _ = await told(Server([b"event: weather\ndata: rain\n\n" + event(1)], GONE), HurriedClock(), after=0)

    assert heard == [1]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_it_comes_back_no_sooner_than_the_server_asks(status: int) -> None:
    busy = error_of(status, {"retry-after": "20"}, b"")
    clock = HurriedClock()

    await told(Server([b"retry: 2000\n\n"], busy, GONE), clock, after=0)

    first, second = clock.slept_seconds
    assert 1 <= first <= 2
    assert 22 <= second <= 24


async def test_the_waits_grow_and_are_bounded() -> None:
    clock = HurriedClock()

    await told(Server([], *[AWAY] * 20, GONE), clock, after=0)

    assert all(seconds <= 15 for seconds in clock.slept_seconds)
    assert all(seconds >= 7.5 for seconds in islice(clock.slept_seconds, 5, None))
