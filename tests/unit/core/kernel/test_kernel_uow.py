"""A use case that lost a race starts again; one that keeps losing says so."""

import pytest

from spunto.core.kernel.errors import Conflict, StaleVersion
from spunto.core.kernel.uow import ATTEMPTS, retried


async def test_a_use_case_that_lost_a_race_starts_again() -> None:
    losses = [StaleVersion("row", "1"), StaleVersion("row", "1")]

    @retried
    async def use_case(answer: str) -> str:
        if losses:
            raise losses.pop()
        return answer

    assert await use_case("won") == "won"


async def test_one_that_keeps_losing_hears_the_conflict() -> None:
    tries = 0

    @retried
    async def use_case() -> None:
        nonlocal tries
        tries += 1
        raise StaleVersion("row", "1")

    with pytest.raises(StaleVersion):
        await use_case()

    assert tries == ATTEMPTS


async def test_any_other_conflict_is_an_answer() -> None:
    tries = 0

    @retried
    async def use_case() -> None:
        nonlocal tries
        tries += 1
        raise Conflict("name_taken", "taken")

    with pytest.raises(Conflict, match="taken"):
        await use_case()

    assert tries == 1
