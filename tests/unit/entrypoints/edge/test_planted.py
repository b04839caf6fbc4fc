"""What a neighbour plants in a visitor's browser over http: it keeps nobody out, and no code lets in as another."""

from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.unit.entrypoints.edge.house import NAVIGATION, PORT, House, a_house, cookies_of, location_of
from tests.unit.entrypoints.edge.test_gate import enter, share

from spunto.core.routes.desired import Sharing
from spunto.core.routes.passes import Pass, sign
from spunto.entrypoints.edge.seams import Forward


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        yield house


async def signed_in(house: House, *, peer: str) -> tuple[str, str]:
    """The nonce that a browser at that address keeps, and the path by which the server sends it back."""
    host = house.host()
    sent = await house.answer(host, peer=peer, **NAVIGATION)
    hashed = parse_qs(urlsplit(location_of(sent)).query)["n"][0]
    doorman = house.harness.spunto.doorman
    code = await doorman.issue_code(house.harness.owner, await doorman.door_at(host), nonce=hashed)
    return cookies_of(sent)["spn"], f"/.spunto/cb?code={code.reveal()}&n={hashed}&next=/"


async def test_planted_nonces_lock_nobody_out(house: House) -> None:
    own, back = await signed_in(house, peer="192.0.2.1")
    others = [(await signed_in(house, peer=peer))[0] for peer in ("192.0.2.1", "192.0.2.2")]
    cookie = "; ".join(f"spn={each}" for each in ["F" * 43, *others, own])

    entered = await house.answer(house.host(), back, cookie=cookie, **NAVIGATION)

    assert (entered.status, "spw" in cookies_of(entered)) == (303, True)


async def test_nobody_is_let_in_as_whoever_planted_a_nonce_and_the_code_for_it(house: House) -> None:
    foreign, back = await signed_in(house, peer="192.0.2.2")
    own, _ = await signed_in(house, peer="192.0.2.1")

    alone = await house.answer(house.host(), back, cookie=f"spn={foreign}", **NAVIGATION)
    beside = await house.answer(house.host(), back, cookie=f"spn={foreign}; spn={own}", **NAVIGATION)

    assert [(each.status, cookies_of(each)) for each in (alone, beside)] == [(403, {})] * 2


async def test_a_nonce_that_was_planted_before_is_not_taken_for_the_visitors_own(house: House) -> None:
    foreign, _ = await signed_in(house, peer="192.0.2.2")

    sent = await house.answer(house.host(), cookie=f"spn={foreign}; spn={'F' * 43}", **NAVIGATION)

    assert cookies_of(sent)["spn"] not in (foreign, "F" * 43)


@pytest.mark.parametrize("many", [1, 4, 40])
async def test_passes_of_ended_sessions_and_links_lock_nobody_out(house: House, many: int) -> None:
    own = (await enter(house))["cookie"]
    planted = [f"spw={pass_of(house, f'{kind}_0{number:025}')}" for number in range(many) for kind in ("lnk", "ses")]

    found = await house.ask(house.host(), cookie="; ".join([*planted, own]))

    assert isinstance(found, Forward)


async def test_however_many_passes_are_shown_the_server_is_asked_for_them_together(house: House) -> None:
    own = (await enter(house))["cookie"]
    planted = [f"spw={pass_of(house, f'ses_0{number:025}')}" for number in range(15)]
    ask, asked = house.link.ask, []

    async def counting(question: object, wanted: object) -> object:
        asked.append(question)
        return await ask(question, wanted)  # type: ignore[arg-type]  # as it came

    house.link.ask = counting  # type: ignore[assignment, method-assign]  # counted on its way
    await house.forward(house.host(), cookie="; ".join([*planted, own]))

    assert len(asked) == 1


async def test_members_passes_that_let_in_and_wake_nothing_stand_before_nobody_who_wakes(house: House) -> None:
    own = (await enter(house))["cookie"]
    await share(house, Sharing.ORG, PORT)
    bob = await house.harness.add_person("bob")
    user_id = bob.actor.user_id
    assert user_id is not None
    sessions = [await house.harness.spunto.access.open_session(user_id) for _ in range(65)]
    planted = [f"spw={pass_of(house, each.session.id)}" for each in sessions]
    harness, worker = house.harness, house.worker.worker
    await harness.spunto.workers.stop(harness.owner, worker.org_id, None, worker.id)
    await harness.settle()

    found = await harness.finish(house.ask(house.host(), cookie="; ".join([*planted, own]), **NAVIGATION))

    assert isinstance(found, Forward)


def pass_of(house: House, by: str) -> str:
    ends = house.harness.clock.now() + timedelta(minutes=5)
    given = Pass(by=by, subject=house.worker.worker.id, host=house.host(), expires_at=ends)
    return sign(house.link.pass_keys[0], given)
