"""How long what the server granted holds, while it can be asked and while it can't."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.entrypoints.edge.house import House, a_house

from spunto.core.routes.asking import ByToken
from spunto.entrypoints.edge.grants import AWAY_SECONDS, Claim


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
    house.cut[0].abort()

    held = []
    for _ in range(int(AWAY_SECONDS) + 5):
        await house.harness.advance(1.0)
        held.append(grants.holds(grant))

    assert (grant.allowed, held[60], held[int(AWAY_SECONDS) - 5], held[-1]) == (False, True, True, False)
