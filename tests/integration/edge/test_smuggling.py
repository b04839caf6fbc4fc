"""No request hides in another one: what the door takes for one, a strict and a very kind server take for the same."""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from tests.integration.edge.doors import Cut, Door, Got, door_to
from tests.integration.edge.hostile import Case, cases
from tests.integration.edge.lenient import lenient_origin
from tests.integration.edge.origins import Origin

CASES = cases()
AFTER = b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n"
PROBE = b"GET /probe HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
async def kind_origin() -> AsyncIterator[Origin]:
    async with lenient_origin() as origin:
        yield origin


@pytest.fixture
async def kind_door(kind_origin: Origin) -> AsyncIterator[Door]:
    async with door_to(kind_origin.target) as door:
        yield door


def test_there_are_many() -> None:
    assert len({case.raw for case in CASES}) >= 200
    assert len([case for case in CASES if case.body is not None]) >= 50


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case.raw[:60]))
async def test_nothing_is_smuggled(
    case: Case, door: Door, origin: Origin, kind_door: Door, kind_origin: Origin
) -> None:
    for its_door, its_origin in ((door, origin), (kind_door, kind_origin)):
        answers = await _all_answers(its_door, case.raw)
        probe = await its_door.ask(PROBE)

        assert (probe.status, probe.headers["x-saw"]) == (200, "/probe")
        *seen, last = its_origin.requests
        assert last.target == "/probe"
        if case.body is None:
            assert seen == []
            assert [400 <= answer.status < 600 and answer.headers["connection"] == "close" for answer in answers] == [
                True
            ]
            continue
        assert [each.body for each in seen] == [case.body, b""][: len(seen)]
        assert [each.target for each in seen[1:]] == ["/after"][: len(seen) - 1]
        assert [answer.status for answer in answers] == [200] * len(seen)
        assert its_origin.broken == []
        assert len(seen) == (1 if b"close" in case.raw else 2)


async def _all_answers(door: Door, raw: bytes) -> list[Got]:
    """To this and an honest request behind it, until the connection ends."""
    answers: list[Got] = []
    async with door.connected() as wire:
        await wire.send(raw + AFTER)
        wire.end()
        with suppress(Cut, ConnectionError):
            while True:
                is_head = raw.startswith(b"HEAD") and not answers
                answers.append(await wire.answer("HEAD" if is_head else "GET"))
    return answers
