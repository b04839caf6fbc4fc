"""Whoever has a link gets in by it until it ends, and is told so afterwards: they have no account to sign in with."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
from tests.unit.entrypoints.edge.house import NAVIGATION, PORT, House, a_house, cookies_of, location_of

from spunto.core.routes.entry import LinkId
from spunto.entrypoints.edge.seams import Answer, Forward


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        yield house


async def a_link(house: House, *, seconds: int = 3600) -> tuple[LinkId, str, str]:
    """Its id, its path, and the cookie that the browser gets by it."""
    harness, worker = house.harness, house.worker.worker
    link, url = await harness.spunto.sharing.create_link(
        harness.owner, worker.org_id, None, worker.id, PORT, seconds=seconds
    )
    parts = urlsplit(url.reveal())
    path = f"{parts.path}?{parts.query}"
    entered = await house.answer(house.host(), path, **NAVIGATION)
    assert (entered.status, location_of(entered)) == (HTTPStatus.SEE_OTHER, "/")
    return link.id, path, f"spw={cookies_of(entered)['spw']}"


async def revoke(house: House, link_id: LinkId) -> None:
    harness, worker = house.harness, house.worker.worker
    await harness.spunto.sharing.revoke_link(harness.owner, worker.org_id, None, worker.id, PORT, link_id)
    await harness.advance(5.0)


def assert_told_that_it_ended(answer: Answer) -> None:
    assert (answer.status, dict(answer.headers)[b"content-type"]) == (403, b"text/html; charset=utf-8")
    for words in (b"This link is no longer good", b"Ask whoever gave it to you", b'href="/.spunto/enter?next='):
        assert words in answer.body


async def test_it_opens_the_port_for_whoever_has_it_until_it_is_taken_back(house: House) -> None:
    link_id, path, cookie = await a_link(house)

    visit = await house.forward(house.host(), cookie=cookie)
    await revoke(house, link_id)
    person = await house.answer(house.host(), "/deep?x=1", cookie=cookie, **NAVIGATION)
    program = await house.answer(house.host(), cookie=cookie, sec_fetch_dest="empty", sec_fetch_mode="cors")
    again = await house.answer(house.host(), path, **NAVIGATION)

    assert visit.still_may(False) is False
    assert_told_that_it_ended(person)
    assert b"next=%2Fdeep%3Fx%3D1" in person.body
    assert (program.status, b"link_not_good" in program.body) == (403, True)
    assert (again.status, b"This link is no longer good" in again.body) == (403, True)


async def test_who_comes_back_while_it_is_good_gets_in_and_is_told_when_it_has_ended(house: House) -> None:
    _, _, cookie = await a_link(house, seconds=1200)

    await house.harness.advance(1000)
    later = await house.ask(house.host(), cookie=cookie, **NAVIGATION)
    await house.harness.advance(201)
    ended = await house.answer(house.host(), cookie=cookie, **NAVIGATION)

    assert isinstance(later, Forward)
    assert later.edit_response(200, [(b"cache-control", b"x")]) == [(b"cache-control", b"x"), (b"vary", b"Origin")]
    assert_told_that_it_ended(ended)


async def test_the_browser_keeps_what_it_got_until_that_can_be_told(house: House) -> None:
    harness, worker = house.harness, house.worker.worker
    _, url = await harness.spunto.sharing.create_link(harness.owner, worker.org_id, None, worker.id, PORT, seconds=60)
    parts = urlsplit(url.reveal())

    entered = await house.answer(house.host(), f"{parts.path}?{parts.query}", **NAVIGATION)

    [cookie] = [value for name, value in entered.headers if name == b"set-cookie" and value.startswith(b"spw=")]
    assert f"Max-Age={60 + 7 * 24 * 3600};".encode() in cookie
