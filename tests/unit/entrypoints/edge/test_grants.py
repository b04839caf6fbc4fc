"""How long what the server granted holds, while it can be asked and while it can't."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from tests.unit.entrypoints.edge.house import House, a_house

from spunto.core.routes.asking import ByToken
from spunto.entrypoints.edge.grants import AWAY_SECONDS, FRESH_SECONDS, PATIENCE_SECONDS, Claim


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        yield house


async def test_what_lives_on_a_grant_goes_on_without_the_server_and_ends_when_it_is_away_for_too_long(
    house: House,
) -> None:
    grants = house.gate._doors.grants
    claim = Claim(house.worker.worker.id, 3000, 1, ByToken(token=house.harness.owner_token))
    grant = await grants.find(claim)
    house.is_server_away = True
    house.cables[0].cut()

    held = []
    for _ in range(int(AWAY_SECONDS) + 5):
        await house.harness.advance(1.0)
        held.append(grants.holds(grant))

    assert (grant.allowed, held[60], held[int(AWAY_SECONDS) - 5], held[-1]) == (False, True, True, False)


async def test_none_of_those_who_come_again_and_again_waits_for_the_server(house: House) -> None:
    grants = house.gate._doors.grants
    claim = Claim(house.worker.worker.id, 3000, 1, ByToken(token=house.harness.owner_token))
    await grants.find(claim)

    waits = []
    for _ in range(12):
        await house.harness.advance(1.0)
        waits.append(_waits(grants.find(claim)))

    assert waits == [False] * 12


async def test_who_was_let_in_before_waits_but_shortly_for_a_server_of_which_nothing_is_heard(house: House) -> None:
    grants = house.gate._doors.grants
    claim = Claim(house.worker.worker.id, 3000, 1, ByToken(token=house.harness.owner_token))
    known = await grants.find(claim)
    # Nobody uses it, so that it is not asked for again.
    await house.harness.advance(4 * FRESH_SECONDS)
    house.cables[0].is_silent = True

    first = asyncio.ensure_future(grants.find(claim))
    await house.harness.advance(PATIENCE_SECONDS / 2)
    waits = not first.done()
    await house.harness.advance(PATIENCE_SECONDS / 2)
    # Whoever comes then does not begin anew.
    second = asyncio.ensure_future(grants.find(claim))
    await house.settle()
    await house.cables[0].speak_again()

    assert (waits, first.done(), second.done()) == (True, True, True)
    assert (first.result(), second.result(), known.allowed) == (known, known, True)


async def test_what_was_granted_holds_while_the_server_lacks_its_database(house: House) -> None:
    grants = house.gate._doors.grants
    claim = Claim(house.worker.worker.id, 3000, 1, ByToken(token=house.harness.owner_token))
    known = await grants.find(claim)
    await house.harness.advance(2 * FRESH_SECONDS)

    house.harness.break_store()
    finding = asyncio.ensure_future(grants.find(claim))
    await asyncio.wait([finding], timeout=5)
    house.harness.mend_store()

    assert (finding.result(), known.allowed) == (known, True)


async def test_what_nobody_uses_any_more_is_not_asked_for_again(house: House) -> None:
    grants = house.gate._doors.grants
    claim = Claim(house.worker.worker.id, 3000, 1, ByToken(token=house.harness.owner_token))
    grant = await grants.find(claim)

    for _ in range(8):
        await house.harness.advance(1.0)
    asked_at = grant.asked_at
    for _ in range(8):
        await house.harness.advance(1.0)

    assert grant.asked_at == asked_at


def _waits(finding: Coroutine[Any, Any, object]) -> bool:
    try:
        finding.send(None)
    except StopIteration:
        return False
    finding.close()
    return True
