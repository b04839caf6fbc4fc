"""A stopped worker wakes for a gesture, and what asked for it waits until it is there."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import cast

import pytest
from tests.unit.entrypoints.edge.house import NAVIGATION, House, a_house, location_of

from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.errors import SpuntoError, Unavailable
from spunto.core.routes.asking import ByPass, Woken
from spunto.core.routes.desired import RouteSpec, RouteState, Sharing
from spunto.core.routes.hosts import HostTarget
from spunto.core.routes.passes import Pass, sign
from spunto.core.workers.model import WorkerState
from spunto.entrypoints.edge.parking import MAX_OF_A_TARGET, Parking
from spunto.entrypoints.edge.reaching import Reaching
from spunto.entrypoints.edge.routes import KnownRoute, RouteTable
from spunto.entrypoints.edge.seams import Answer, Forward, Upstream
from spunto.entrypoints.edge.server_link import ServerLink


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        harness, worker = house.harness, house.worker.worker
        await harness.spunto.workers.stop(harness.owner, worker.org_id, worker.project_id, worker.id)
        await harness.settle()
        yield house


async def state_of(house: House) -> WorkerState:
    worker = house.worker.worker
    found = await house.harness.spunto.workers.get(house.harness.owner, worker.org_id, worker.project_id, worker.id)
    return found.worker.state


async def activity_of(house: House) -> datetime:
    await house.harness.advance(60)
    worker = house.worker.worker
    found = await house.harness.spunto.workers.get(house.harness.owner, worker.org_id, worker.project_id, worker.id)
    return found.worker.last_activity_at


def bearer(house: House) -> dict[str, str]:
    return {"authorization": f"Bearer {house.harness.owner_token.reveal()}"}


async def test_a_navigation_wakes_it_and_waits_for_it(house: House) -> None:
    found = await house.harness.finish(house.ask(house.host(), **bearer(house), **NAVIGATION))

    assert (isinstance(found, Forward), await state_of(house)) == (True, WorkerState.READY)


async def test_a_program_with_a_token_wakes_it(house: House) -> None:
    found = await house.harness.finish(house.ask(house.host(), **bearer(house)))

    assert isinstance(found, Forward)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_dest": "empty", "sec_fetch_mode": "cors"},
        {"sec_fetch_dest": "image", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_dest": "websocket", "sec_fetch_mode": "websocket"},
    ],
)
async def test_what_a_page_does_in_the_background_does_not_wake_it(house: House, headers: dict[str, str]) -> None:
    answer = await house.answer(house.host(), **bearer(house), **headers)
    await house.settle()

    assert (answer.status, b"worker_stopped" in answer.body) == (503, True)
    assert await state_of(house) is WorkerState.STOPPED


@pytest.mark.parametrize(
    "ahead",
    [
        {"sec_purpose": "prefetch", "sec_fetch_dest": "empty"},
        {"sec_purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x_moz": "prefetch"},
        {"x_purpose": "preview"},
    ],
)
async def test_what_a_browser_fetches_before_anybody_goes_there_neither_wakes_nor_uses_it(
    house: House, ahead: dict[str, str]
) -> None:
    asleep = await house.answer(house.host(), **bearer(house), **{**NAVIGATION, **ahead})
    plain = await house.answer(house.host(), **bearer(house), **ahead)
    stranger = await house.answer(house.host(), **{**NAVIGATION, **ahead})
    await house.settle()
    state = await state_of(house)
    await house.harness.finish(house.ask(house.host(), **bearer(house)))
    used = await activity_of(house)
    await house.harness.advance(120)
    shown = await house.ask(house.host(), **bearer(house), **{**NAVIGATION, **ahead})
    assert isinstance(shown, Forward)
    shown.still_may(True)
    await house.harness.advance(60)

    assert [each.status for each in (asleep, plain, stranger)] == [503, 503, 401]
    assert (state, await activity_of(house)) == (WorkerState.STOPPED, used)


async def test_a_request_that_reached_nobody_is_no_use_of_it(house: House) -> None:
    await house.harness.finish(house.ask(house.host(), **bearer(house)))
    used = await activity_of(house)
    await house.harness.advance(120)

    found = await house.forward(house.host(), **bearer(house))
    await house.harness.advance(60)
    reached_nobody = await activity_of(house)
    found.reached()
    await house.harness.advance(60)

    assert reached_nobody == used < await activity_of(house)


async def test_many_at_once_wake_it_once_and_all_get_through(house: House) -> None:
    asking = [asyncio.ensure_future(house.ask(house.host(), **bearer(house))) for _ in range(MAX_OF_A_TARGET)]

    found = await house.harness.finish(asyncio.gather(*asking))

    assert all(isinstance(each, Forward) for each in found)


async def test_one_knocks_for_all_that_wait_for_a_port_and_all_are_let_in_at_once(house: House) -> None:
    found = await house.harness.finish(house.ask(house.host(), **bearer(house)))
    assert isinstance(found, Forward)
    begun = house.harness.clock.monotonic()
    house.listens_at = begun + 3.0

    await house.harness.finish(asyncio.gather(*(found.target.connect() for _ in range(50))))

    assert house.harness.clock.monotonic() - house.listens_at < 0.1
    assert len(house.asked_ports) < 2 * 50 + 3.0 / 0.03 + 10


@pytest.mark.parametrize(("headers", "seconds"), [({}, 20.0), (NAVIGATION, 5.0)])
async def test_a_port_that_stays_silent_is_told_so_and_soon_to_a_person(
    house: House, headers: dict[str, str], seconds: float
) -> None:
    found = await house.harness.finish(house.ask(house.host(), **bearer(house), **headers))
    assert isinstance(found, Forward)
    begun = house.harness.clock.monotonic()

    with pytest.raises(Unavailable) as refused:
        await house.harness.finish(found.target.connect())

    assert refused.value.code == "nobody_listens"
    assert house.harness.clock.monotonic() - begun == pytest.approx(seconds, abs=0.2)


async def test_a_page_that_waits_neither_wakes_nor_uses_the_worker_and_goes_on_when_it_is_there(house: House) -> None:
    waiting = "/.spunto/wait?next=%2Fx"

    asleep = await house.answer(house.host(), waiting, **bearer(house), **NAVIGATION)
    await house.settle()
    state = await state_of(house)
    await house.harness.finish(house.ask(house.host(), **bearer(house)))
    await house.harness.advance(30.0)
    silent = await house.answer(house.host(), waiting, **bearer(house), **NAVIGATION)
    house.listens_at = 0.0
    there = await house.answer(house.host(), waiting, **bearer(house), **NAVIGATION)

    assert (asleep.status, b"is stopped" in asleep.body, state) == (503, True, WorkerState.STOPPED)
    assert b'content="2;url=/.spunto/wait?next=%2Fx"' in silent.body
    assert (there.status, location_of(there)) == (302, "/x")


async def test_who_waits_is_asked_again_before_they_get_through(house: House) -> None:
    harness, worker = house.harness, house.worker.worker
    bob = await harness.add_person("bob")
    node = harness.nodes["one"]
    await harness.spunto.sharing.share(harness.owner, worker.org_id, None, worker.id, 3000, Sharing.ORG)
    node.partition()
    await harness.spunto.workers.start(harness.owner, worker.org_id, worker.project_id, worker.id)
    await harness.advance(3.0)
    asking = asyncio.ensure_future(house.ask(house.host(), authorization=f"Bearer {bob.token.reveal()}"))
    await harness.advance(1.0)

    await harness.spunto.sharing.share(harness.owner, worker.org_id, None, worker.id, 3000, Sharing.OWNER)
    is_waiting = not asking.done()
    await node.reconnect()
    found = await harness.finish(asking)

    assert isinstance(found, Answer)
    assert (is_waiting, found.status, await state_of(house)) == (True, 403, WorkerState.READY)


async def test_past_the_bound_they_are_told_to_come_again(house: House) -> None:
    asking = [asyncio.ensure_future(house.ask(house.host(), **bearer(house))) for _ in range(MAX_OF_A_TARGET + 5)]

    found = await house.harness.finish(asyncio.gather(*asking))

    refused = [each for each in found if isinstance(each, Answer)]
    assert [each.status for each in refused] == [503] * 5
    assert all(b"retry-after" in dict(each.headers) for each in refused)


async def test_who_may_not_start_it_sees_that_it_is_stopped(house: House) -> None:
    harness, worker = house.harness, house.worker.worker
    await harness.spunto.sharing.share(harness.owner, worker.org_id, None, worker.id, 3000, Sharing.PUBLIC)
    await harness.settle()

    answer = await house.answer(house.host(), **NAVIGATION)

    assert (answer.status, b"is stopped" in answer.body) == (503, True)
    assert await state_of(house) is WorkerState.STOPPED
    # Its owner may be the one who looks, in a browser that was never here.
    assert b'href="/.spunto/enter?next=%2F"' in answer.body
    sent = await house.answer(house.host(), "/.spunto/enter?next=%2Fx", **NAVIGATION)
    assert (sent.status, "next=%2Fx" in location_of(sent)) == (302, True)


async def test_its_owner_wakes_it_also_by_a_port_that_is_open_to_everybody(house: House) -> None:
    harness, worker = house.harness, house.worker.worker
    await harness.spunto.sharing.share(harness.owner, worker.org_id, None, worker.id, 3000, Sharing.PUBLIC)
    await harness.settle()

    found = await harness.finish(house.ask(house.host(), **bearer(house)))

    assert (isinstance(found, Forward), await state_of(house)) == (True, WorkerState.READY)


async def test_strangers_who_wait_at_a_public_port_leave_room_for_who_is_known(house: House) -> None:
    harness, worker = house.harness, house.worker.worker
    await harness.finish(house.ask(house.host(), **bearer(house)))
    await harness.spunto.sharing.share(harness.owner, worker.org_id, None, worker.id, 3000, Sharing.PUBLIC)
    await harness.settle()
    opened = await harness.spunto.access.open_session(harness.owner.user_id)  # type: ignore[arg-type]  # a person
    ends = harness.clock.now() + timedelta(minutes=5)
    given = Pass(by=opened.session.id, subject=worker.id, host=house.host(), expires_at=ends)
    cookie = f"spw={sign(house.link.pass_keys[0], given)}"

    strangers = [asyncio.ensure_future(knock(house)) for _ in range(MAX_OF_A_TARGET)]
    await house.settle()
    knocks = (
        knock(house, cookie=cookie),
        knock(house, port=3000, **bearer(house)),
        knock(house, port=4000, **bearer(house)),
    )
    known = [asyncio.ensure_future(each) for each in knocks]
    with_a_bad_token = await knock(house, authorization=f"Bearer sps_{'A' * 43}")
    await house.settle()
    house.listens_at = harness.clock.monotonic()
    let_in = await harness.finish(asyncio.gather(*known))
    refused = [each for each in await harness.finish(asyncio.gather(*strangers)) if each]

    assert (let_in, with_a_bad_token) == ([None, None, None], "busy")
    assert refused == ["busy"] * (MAX_OF_A_TARGET // 2)


async def knock(house: House, *, port: int = 3000, **headers: str) -> str | None:
    """Why nobody gets through, if it is so."""
    found = await house.forward(house.host(port), **headers)
    try:
        await found.target.connect()
    except SpuntoError as error:
        return error.code
    return None


async def test_while_it_is_on_its_way_down_the_server_is_asked_now_and_then() -> None:
    spec = RouteSpec(kind="worker", org_id="org_1", owner_id="usr_1", node_id="nod_1", index=1, state=RouteState.DOWN)
    subject, clock, asked = "0" * 26, SystemClock(), 0

    class Link:
        async def ask(self, question: object, wanted: object) -> Woken:
            nonlocal asked
            asked += 1
            return Woken(state=RouteState.DOWN)

    routes = RouteTable({subject: KnownRoute(subject_id=f"wkr_{subject}", generation=1, spec=spec, up_since=0.0)})
    reaching = Reaching(routes, cast("ServerLink", Link()), nobody_connects, parking=Parking(), clock=clock)
    target = HostTarget(subject=subject, index=1, port=3000, label="worker-1")

    with pytest.raises(Unavailable):
        await reaching.up(target, waker=ByPass(pass_id="ses_1"), seconds=0.2)

    assert asked == 1


async def nobody_connects(node_id: str, subject_id: str, port: int) -> Upstream:
    raise Unavailable("connection_refused", "Nobody listens.")
