"""What becomes of those who came in while everybody might, once not everybody may any more."""

from collections.abc import AsyncIterator, Mapping

import pytest
from tests.unit.entrypoints.edge.house import House, a_house
from tests.unit.entrypoints.edge.test_gate import bearer, enter, share

from spunto.core.access.policy import Scope
from spunto.core.kernel.secret import Secret
from spunto.core.routes.desired import Sharing


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        yield house


async def held(house: House, headers: Mapping[str, str]) -> list[bool]:
    """What the visit is told each second, from when the port is public no more."""
    await share(house, Sharing.PUBLIC)
    visit = await house.forward(house.host(), **headers)
    assert visit.still_may(True)
    await share(house, Sharing.OWNER)
    told = []
    for _ in range(5):
        told.append(visit.still_may(False))
        await house.harness.advance(1.0)
    return told


async def test_whoever_may_enter_by_themselves_stays(house: House) -> None:
    key = await house.harness.add_key(
        Scope.WORKERS_EXEC, owner=await house.harness.spunto.access.authenticate(house.harness.owner_token)
    )
    cookie = await enter(house)

    for who in (cookie, bearer(house.harness.owner_token), bearer(key)):
        assert await held(house, who) == [True] * 5


async def test_strangers_and_members_leave(house: House) -> None:
    bob = await house.harness.add_person("bob")

    assert await held(house, {}) == [False] * 5
    for who in (bearer(bob.token), bearer(Secret(f"sps_{'A' * 43}"))):
        assert (await held(house, who))[1:] == [False] * 4


async def test_whoever_stayed_leaves_with_what_they_stayed_by(house: House) -> None:
    opened = await house.harness.spunto.access.open_session(house.harness.owner.user_id)  # type: ignore[arg-type]  # a person
    await share(house, Sharing.PUBLIC)
    visit = await house.forward(house.host(), **bearer(opened.token))
    await share(house, Sharing.OWNER)
    before = [visit.still_may(False)]
    await house.harness.advance(1.0)
    before.append(visit.still_may(False))

    await house.harness.spunto.sessions.end(await house.harness.spunto.access.authenticate(opened.token))
    told = []
    for _ in range(5):
        await house.harness.advance(1.0)
        told.append(visit.still_may(False))

    assert (before, told[-1]) == ([True, True], False)


async def test_whoever_cannot_be_asked_about_leaves(house: House) -> None:
    await share(house, Sharing.PUBLIC)
    visit = await house.forward(house.host(), **bearer(house.harness.owner_token))
    await share(house, Sharing.OWNER)
    house.is_server_away = True
    house.cables[0].cut()
    await house.settle()

    first = visit.still_may(False)
    await house.settle()

    assert (first, visit.still_may(False)) == (True, False)
