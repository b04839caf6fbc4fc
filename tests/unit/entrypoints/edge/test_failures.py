"""Whoever tries credentials at workers' hosts is refused after some that are not good, before the server is asked."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.entrypoints.edge.house import NAVIGATION, House, a_house
from tests.unit.entrypoints.edge.test_gate import bearer

from spunto.core.kernel.secret import Secret
from spunto.core.routes.asking import Authorize, Redeem
from spunto.entrypoints.edge.failures import RATE
from spunto.entrypoints.edge.seams import Forward


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        yield house


@pytest.fixture
def asked(house: House) -> list[object]:
    """What the server is asked."""
    ask = house.link.ask
    questions: list[object] = []

    async def noted(question: object, wanted: object) -> object:
        if isinstance(question, Authorize | Redeem):
            questions.append(question)
        return await ask(question, wanted)  # type: ignore[arg-type]  # as it came

    house.link.ask = noted  # type: ignore[assignment, method-assign]  # noted on its way
    return questions


def guess(number: int) -> dict[str, str]:
    return bearer(Secret(f"sps_{number:043}"))


@pytest.mark.parametrize("header", ["authorization", "spunto_authorization"])
async def test_tokens_that_are_not_good_are_counted_by_address(house: House, asked: list[object], header: str) -> None:
    host = house.host()
    good = await house.ask(host, **bearer(house.harness.owner_token))
    tries = [await house.answer(host, **{header: guess(each)["authorization"]}) for each in range(RATE.burst + 5)]
    questions = len(asked)
    elsewhere = await house.answer(host, peer="192.0.2.2", **guess(99))
    still_good = await house.ask(host, **bearer(house.harness.owner_token))

    assert [each.status for each in tries] == [401] * RATE.burst + [429] * 5
    assert (b"retry-after", b"3") in tries[-1].headers
    assert b"rate_limited" in tries[-1].body
    assert questions == 1 + RATE.burst
    assert (isinstance(good, Forward), isinstance(still_good, Forward), elsewhere.status) == (True, True, 401)

    await house.harness.advance(4)
    assert (await house.answer(host, **guess(100))).status == 401


@pytest.mark.parametrize("path", ["/.spunto/link?token=spl_{:043}", "/.spunto/tunnel"])
async def test_so_are_links_and_tokens_of_tunnels(house: House, asked: list[object], path: str) -> None:
    tries = [
        await house.answer(
            house.host(),
            path.format(each),
            **guess(each),
            **({"upgrade": "websocket"} if "tunnel" in path else NAVIGATION),
        )
        for each in range(RATE.burst + 1)
    ]

    assert [each.status for each in tries[-2:]] == [401 if "tunnel" in path else 403, 429]
    assert len(asked) == RATE.burst


async def test_whose_token_is_good_and_may_not_enter_has_shown_none_that_is_not(house: House) -> None:
    bob = await house.harness.add_person("bob")

    tries = [await house.answer(house.host(), **bearer(bob.token)) for _ in range(RATE.burst + 1)]

    assert {each.status for each in tries} == {403}
