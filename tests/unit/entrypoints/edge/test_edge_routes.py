"""What an edge keeps of what its server tells it."""

import asyncio
from datetime import UTC, datetime

import pytest

from spunto.core.protocol.messages import Desired, DesiredItem, Phase, Wanted
from spunto.core.routes.desired import RouteSpec, RouteState
from spunto.entrypoints.edge.routes import RouteTable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE, OTHER = "0" * 26, "1" * 26


def an_item(
    subject: str = ONE, *, generation: int = 1, state: RouteState = RouteState.UP, wanted: Wanted = Wanted.PRESENT
) -> DesiredItem:
    spec = RouteSpec(kind="worker", org_id="org_1", owner_id="usr_1", node_id="nod_1", index=1, state=state)
    return DesiredItem(kind="route", id=f"wkr_{subject}", generation=generation, wanted=wanted, spec=spec.to_json())


def told(table: RouteTable, *items: DesiredItem, whole: bool = False, monotonic: float = 0.0) -> list[Phase]:
    desired = Desired(epoch=1, revision=1, whole=whole, items=items)
    return [each.phase for each in table.apply(desired, monotonic=monotonic, at=NOW)]


def test_a_whole_set_replaces_what_was_known() -> None:
    table = RouteTable()
    told(table, an_item(ONE), an_item(OTHER), whole=True)

    phases = told(table, an_item(OTHER, generation=2), whole=True)

    found = table.find(OTHER)
    assert (phases, table.find(ONE), found and found.generation) == ([Phase.RUNNING], None, 2)


def test_a_difference_leaves_the_rest_and_absence_is_acknowledged() -> None:
    table = RouteTable()
    told(table, an_item(ONE), an_item(OTHER), whole=True)

    phases = told(table, an_item(ONE, wanted=Wanted.ABSENT))

    assert (phases, table.find(ONE), table.find(OTHER) is not None) == ([Phase.ABSENT], None, True)


def test_an_older_generation_changes_nothing() -> None:
    table = RouteTable()
    told(table, an_item(generation=2, state=RouteState.DOWN))

    told(table, an_item(generation=1))

    found = table.find(ONE)
    assert found is not None
    assert found.spec.state is RouteState.DOWN


def test_what_is_not_understood_is_left_and_not_acknowledged() -> None:
    table = RouteTable()
    told(table, an_item())
    unknown = DesiredItem(kind="route", id=f"wkr_{ONE}", generation=2, wanted=Wanted.PRESENT, spec={"kind": "later"})

    phases = told(table, unknown)

    found = table.find(ONE)
    assert (phases, found and found.generation) == ([], 1)


def test_it_counts_as_up_since_it_last_came_up() -> None:
    table = RouteTable()
    for generation, (state, at) in enumerate(
        [(RouteState.UP, 1.0), (RouteState.UP, 2.0), (RouteState.DOWN, 3.0), (RouteState.UP, 4.0)], start=1
    ):
        told(table, an_item(generation=generation, state=state), monotonic=at)
        if at == 2.0:
            early = table.find(ONE)

    late = table.find(ONE)
    assert (early and early.up_since, late and late.up_since) == (1.0, 4.0)


async def test_whoever_waits_hears_of_the_next_change() -> None:
    table = RouteTable()
    waiting = asyncio.ensure_future(table.changed(ONE))
    await asyncio.sleep(0)

    told(table, an_item())

    async with asyncio.timeout(1):
        await waiting
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await table.changed(ONE)
