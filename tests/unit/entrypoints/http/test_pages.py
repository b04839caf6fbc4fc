"""Whoever goes to an address in a browser sees a page, also where it refuses them; programs get a problem."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.entrypoints.http.house import House, build_house, problem_of
from tests.unit.entrypoints.http.site import open_site

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}
GOES_WRONG = {
    "/api/auth/bootstrap?code=used": (401, "code_not_good"),
    "/api/auth/bootstrap": (400, "invalid_query"),
    "/api/auth/login": (404, "sign_in_off"),
    "/api/auth/callback?state=x&code=y": (404, "sign_in_off"),
    "/api/auth/worker?host=evil.example&n=" + "x" * 43: (404, "worker_not_found"),
    "/api/auth/worker": (400, "invalid_query"),
    "/api/auth/session": (401, "credential_missing"),
    "/api/auth/logout": (405, "method_not_allowed"),
    "/api/orgs": (401, "credential_missing"),
    "/nowhere": (404, "route_not_found"),
}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Without a provider, as a box."""
    async with open_site() as site:
        yield site.house


@pytest.mark.parametrize("address", GOES_WRONG)
async def test_a_person_sees_a_page_and_a_program_gets_the_problem(house: House, address: str) -> None:
    page = await house.client.get(address, headers=BROWSER)
    plain = await house.client.get(address, headers={"Accept": "text/html"})
    program = await house.client.get(address)
    script = await house.client.get(address, headers={**BROWSER, "Sec-Fetch-Mode": "cors"})

    problem = await problem_of(program)
    assert (program.status_code, problem["code"]) == GOES_WRONG[address]
    assert (await problem_of(script))["code"] == problem["code"]
    for shown in (page, plain):
        assert (shown.status_code, shown.content_type) == (program.status_code, "text/html; charset=utf-8")
        text = await shown.get_data(as_text=True)
        assert "<h1>That did not work</h1>" in text
        assert f"<code>{problem['code']}</code>" in text
        assert shown.headers["Content-Length"] == str(len(text.encode()))
        assert shown.headers["X-Request-Id"] in text


async def test_a_used_sign_in_link_says_how_another_one_is_had(house: House) -> None:
    ann = await house.person("ann")
    link = f"/api/auth/bootstrap?code={(await house.access.issue_code(ann.user_id)).reveal()}"
    await house.client.get(link, headers=BROWSER)

    text = await (await house.client.get(link, headers=BROWSER)).get_data(as_text=True)

    assert "was used already or has expired" in text
    assert "<code>spunto db sign-in-link</code>" in text
    assert "/api/auth/login" not in text


async def test_where_people_sign_in_at_a_provider_they_are_led_there() -> None:
    house = build_house()

    page = await house.client.get("/api/orgs", headers=BROWSER)
    link = await house.client.get("/api/auth/bootstrap?code=used", headers=BROWSER)

    assert '<a href="/api/auth/login">' in await page.get_data(as_text=True)
    assert "<code>spunto db sign-in-link</code>" in await link.get_data(as_text=True)


async def test_who_is_signed_in_is_not_told_to_sign_in_where_nothing_is(house: House) -> None:
    ann = await house.person("ann")
    signed_in = {**BROWSER, "Authorization": f"Bearer {ann.token}"}

    known = await (await house.client.get("/nowhere", headers=signed_in)).get_data(as_text=True)
    unknown = await (await house.client.get("/nowhere", headers=BROWSER)).get_data(as_text=True)

    assert ("sign-in-link" in known, "sign-in-link" in unknown) == (False, True)


async def test_a_stranger_at_a_port_hears_that_it_is_private_and_nothing_of_setting_up(house: House) -> None:
    shown = await house.client.get("/api/auth/login?next=/api/auth/worker?host=x", headers=BROWSER)

    text = await shown.get_data(as_text=True)
    assert (shown.status_code, "This port is private." in text) == (403, True)
    assert [word for word in ("SPUNTO_", "sign-in-link", "owner.token") if word in text] == []


async def test_what_stands_between_backticks_is_shown_as_code(house: House) -> None:
    text = await (await house.client.get("/api/auth/login", headers=BROWSER)).get_data(as_text=True)

    assert "`" not in text
    assert "<code>spunto db sign-in-link</code> prints on the server" in text


async def test_what_came_from_outside_can_not_be_markup(house: House) -> None:
    shown = await house.client.get("/api/auth/worker?host=<b>x&n=" + "x" * 43, headers=BROWSER)

    assert "&lt;b&gt;x" in await shown.get_data(as_text=True)
