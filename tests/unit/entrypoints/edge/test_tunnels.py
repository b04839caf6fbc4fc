"""Connections to a worker's port that are no HTTP: who gets one."""

from collections.abc import AsyncIterator
from datetime import timedelta
from http import HTTPStatus

import pytest
from tests.unit.entrypoints.edge.house import House, a_house

from spunto.core.routes.desired import Sharing
from spunto.core.routes.hosts import TUNNEL_PATH
from spunto.core.routes.passes import Pass, sign
from spunto.core.workers.model import WorkerState
from spunto.entrypoints.edge.seams import Answer, Forward, Handover


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        house.listens_at = 0.0
        yield house


def token_of(house: House) -> dict[str, str]:
    return {"authorization": f"Bearer {house.harness.owner_token.reveal()}"}


async def asked(house: House, **headers: str) -> Answer:
    return await house.answer(house.host(), TUNNEL_PATH, upgrade="websocket", **headers)


async def test_nobody_without_a_token_gets_one_not_even_to_a_public_port(house: House) -> None:
    harness, worker = house.harness, house.worker.worker
    await harness.spunto.sharing.share(harness.owner, worker.org_id, None, worker.id, 3000, Sharing.PUBLIC)
    await house.settle()

    answers = [await asked(house), await asked(house, authorization="Bearer x")]

    assert [each.status for each in answers] == [HTTPStatus.UNAUTHORIZED] * 2
    assert house.asked_ports == []


async def test_a_browser_s_pass_opens_pages_and_no_tunnel(house: House) -> None:
    host = house.host()
    opened = await house.harness.spunto.access.open_session(house.harness.owner.user_id)  # type: ignore[arg-type]  # a person
    ends = house.harness.clock.now() + timedelta(minutes=5)
    given = Pass(by=opened.session.id, subject=house.worker.worker.id, host=host, expires_at=ends)
    cookie = f"spw={sign(house.link.pass_keys[0], given)}"

    page = await house.ask(host, cookie=cookie)
    answer = await asked(house, cookie=cookie, origin=f"http://{host}")

    assert (isinstance(page, Forward), answer.status) == (True, HTTPStatus.UNAUTHORIZED)


async def test_a_colleague_with_whom_it_is_not_shared_gets_none(house: House) -> None:
    bob = await house.harness.add_person("bob")

    answer = await asked(house, authorization=f"Bearer {bob.token.reveal()}")

    assert (answer.status, house.asked_ports) == (HTTPStatus.FORBIDDEN, [])


async def test_without_an_upgrade_there_is_nothing(house: House) -> None:
    answer = await house.answer(house.host(), TUNNEL_PATH, **token_of(house))

    assert answer.status == HTTPStatus.NOT_FOUND


async def test_where_nobody_listens_is_told_before_anything_is_taken_over(house: House) -> None:
    house.listens_at = float("inf")
    await house.harness.advance(60.0)

    answer = await asked(house, **token_of(house))

    assert (answer.status, b"nobody_listens" in answer.body) == (HTTPStatus.SERVICE_UNAVAILABLE, True)


async def test_a_stopped_worker_wakes_for_it(house: House) -> None:
    harness, worker = house.harness, house.worker.worker
    await harness.spunto.workers.stop(harness.owner, worker.org_id, worker.project_id, worker.id)
    await harness.settle()

    found = await harness.finish(house.ask(house.host(), TUNNEL_PATH, upgrade="websocket", **token_of(house)))

    view = await harness.spunto.workers.get(harness.owner, worker.org_id, worker.project_id, worker.id)
    assert (isinstance(found, Handover), view.worker.state) == (True, WorkerState.READY)
