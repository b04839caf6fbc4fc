"""Who moves much does not hold up another organization, and nobody who is alone."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import pytest
from tests.unit.entrypoints.edge.house import a_house

from spunto.core.kernel.clock import ManualClock
from spunto.entrypoints.edge.fair_turns import RIVAL_SECONDS, TURN_BYTES, FairTurns

PIECE_BYTES: Final = 16 * 1024
MANY: Final = 20
TURNS: Final = 500
PATIENCE_SECONDS: Final = 5.0


class Bulk:
    """An upstream that always has more, and takes all."""

    def is_quiet(self) -> bool:
        return False

    async def read(self) -> bytes | None:
        return bytes(TURN_BYTES)

    async def write(self, data: bytes) -> None: ...

    async def write_eof(self) -> None: ...

    def reset(self, code: str, message: str = "") -> None: ...

    async def aclose(self) -> None: ...


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def turns(clock: ManualClock) -> FairTurns:
    return FairTurns(clock)


async def moves(turns: FairTurns, org_id: str, moved: Counter[str]) -> None:
    while True:
        await turns.take(org_id, PIECE_BYTES)
        moved[org_id] += PIECE_BYTES
        await asyncio.sleep(0)


def is_at_once(moving: Coroutine[Any, Any, object]) -> bool:
    """Whether it is done without waiting; otherwise it is given up."""
    try:
        moving.send(None)
    except StopIteration:
        return True
    moving.close()
    return False


async def test_one_stream_moves_as_much_as_another_organization_s_twenty(turns: FairTurns) -> None:
    moved: Counter[str] = Counter()
    movers = [asyncio.create_task(moves(turns, org_id, moved)) for org_id in ["many"] * MANY + ["one"]]

    for _ in range(TURNS):
        await asyncio.sleep(0)
    for mover in movers:
        mover.cancel()

    # One piece each time that it comes round; the others have four of twenty.
    assert moved["one"] >= TURNS * PIECE_BYTES * 0.9
    assert moved["many"] <= TURNS * (TURN_BYTES + PIECE_BYTES)
    assert moved["many"] >= TURNS * TURN_BYTES * 0.9


async def test_whoever_is_alone_never_waits(turns: FairTurns) -> None:
    assert [is_at_once(turns.take("one", TURN_BYTES)) for _ in range(100)] == [True] * 100


async def test_whoever_moves_beside_another_waits_past_its_share_until_that_has_been_quiet(
    turns: FairTurns, clock: ManualClock
) -> None:
    await turns.take("other", 1)
    beside = [is_at_once(turns.take("one", TURN_BYTES)) for _ in range(2)]
    await asyncio.sleep(0)
    clock.advance(RIVAL_SECONDS)
    await turns.take("one", 1)
    await asyncio.sleep(0)

    alone = [is_at_once(turns.take("one", TURN_BYTES)) for _ in range(3)]

    assert (beside, alone) == ([True, False], [True] * 3)


async def test_one_that_has_left_holds_nobody_up(turns: FairTurns) -> None:
    await turns.take("other", 1)
    await turns.take("one", TURN_BYTES)
    waiting = [asyncio.create_task(turns.take("one", TURN_BYTES)) for _ in range(3)]
    await asyncio.sleep(0)
    leaving = waiting.pop(1)
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving

    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*waiting)


async def test_what_goes_to_and_from_a_worker_goes_in_its_organization_s_turns() -> None:
    async with a_house() as house:
        house.listens_at, house.upstream = 0.0, Bulk
        fair = house.gate._doors.reaching._fair
        found = await house.forward(house.host(), authorization=f"Bearer {house.harness.owner_token.reveal()}")
        upstream = await found.target.connect()
        await fair.take("other", 1)

        assert [is_at_once(upstream.read()), is_at_once(upstream.write(b"more"))] == [True, False]
