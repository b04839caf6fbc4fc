"""Signing in at a provider, over HTTP."""

from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from quart.wrappers import Response
from tests.unit.entrypoints.http.house import LOCAL, House, build_house, json_of, problem_of
from tests.unit.entrypoints.http.test_redirects import ATTACKS
from werkzeug.http import parse_cookie

from spunto.entrypoints.library import Spunto

HTTPS = "https://spunto.example.org"


class Browser:
    """Goes to the provider and back, with the cookie that it was given."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.cookie = ""

    async def login(self, next_path: str | None = None) -> Response:
        query = "" if next_path is None else f"?next={quote(next_path, safe='')}"
        response = await self.house.client.get(f"/api/auth/login{query}")
        self.cookie = response.headers.get("Set-Cookie", "").partition(";")[0]
        return response

    async def come_back(
        self, sent: Response, *, accept: str = "*/*", cookie: str | None = None, extra: str = "", **claims: Any
    ) -> Response:
        assert self.house.provider is not None
        url = sent.headers["Location"]
        person = {"subject": "1", "email": "ada@example.org", **claims}
        code = self.house.provider.consent(url, **person)
        state = dict(parse_qsl(urlsplit(url).query))["state"]
        headers = {"Cookie": self.cookie if cookie is None else cookie, "Accept": accept}
        return await self.house.client.get(f"/api/auth/callback?state={state}&code={code}{extra}", headers=headers)


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house)


async def test_a_sign_in_leads_to_the_provider_and_back_to_where_one_was(house: House, browser: Browser) -> None:
    sent = await browser.login("/device?code=BCDF-GHJK")
    back = await browser.come_back(sent, extra="&scope=openid&authuser=0&prompt=none")

    asked = dict(parse_qsl(urlsplit(sent.headers["Location"]).query))
    assert (sent.status_code, asked["redirect_uri"]) == (303, f"{LOCAL}/api/auth/callback")
    assert (back.status_code, back.headers["Location"]) == (303, "/device?code=BCDF-GHJK")
    flow, session = back.headers.getlist("Set-Cookie")
    assert (parse_cookie(flow)["oidc"], "Max-Age=0" in flow) == ("", True)
    answer = await house.client.get(
        "/api/auth/session", headers={"Cookie": f"session={parse_cookie(session)['session']}"}
    )
    who = await json_of(answer)
    assert (who["kind"], who["organizations"]) == ("user", [])


async def test_the_cookies_of_a_public_server_are_secure_and_bound_to_its_host() -> None:
    browser = Browser(build_house(url=HTTPS))

    sent = await browser.login()
    back = await browser.come_back(sent)

    attributes = "; Secure; HttpOnly; Path=/; SameSite=Lax"
    assert sent.headers["Set-Cookie"].startswith("__Host-oidc=")
    assert sent.headers["Set-Cookie"].endswith(f"; Max-Age=600{attributes}")
    session = back.headers.getlist("Set-Cookie")[1]
    assert session.startswith("__Host-session=sps_")
    assert session.endswith(f"; Max-Age=604800{attributes}")


async def test_the_session_of_the_browser_is_a_new_one_and_the_old_one_ends(house: House, browser: Browser) -> None:
    ann = await house.person("ann")
    sent = await browser.login()

    await browser.come_back(sent, cookie=f"{browser.cookie}; session={ann.token}")

    assert (await house.call(ann, "GET", "/api/auth/session")).status_code == 401


# A NUL is refused before anybody looks at where it leads.
@pytest.mark.parametrize("path", [path for path in ATTACKS if "\x00" not in path])
async def test_nobody_is_led_elsewhere(house: House, browser: Browser, path: str) -> None:
    back = await browser.come_back(await browser.login(path))

    assert (back.status_code, back.headers["Location"]) == (303, "/")


async def test_a_callback_in_another_browser_opens_nothing(house: House, browser: Browser) -> None:
    sent = await browser.login()
    other = Browser(house)
    await other.login()

    for cookie in ("", other.cookie, f"{browser.cookie}; {browser.cookie}", "oidc=made.up.x"):
        back = await browser.come_back(sent, cookie=cookie)
        assert (await problem_of(back))["code"] == "sign_in_not_begun"
        assert "Set-Cookie" not in back.headers


async def test_a_link_preview_does_not_use_the_code_up(house: House, browser: Browser) -> None:
    await browser.login()

    assert (await house.client.head("/api/auth/callback?state=s&code=c")).status_code == 405


async def test_people_are_told_on_a_page_and_programs_by_a_problem(house: House, browser: Browser) -> None:
    sent = await browser.login()
    page = await browser.come_back(sent, accept="text/html,*/*;q=0.8", email_verified=False)
    problem = await browser.come_back(sent, email_verified=False)

    text = await page.get_data(as_text=True)
    assert (page.status_code, page.content_type) == (403, "text/html; charset=utf-8")
    assert "is not verified; verify it there" in text
    assert (await problem_of(problem))["code"] == "email_not_verified"


async def test_what_the_provider_says_is_never_part_of_a_page(house: House, browser: Browser) -> None:
    sent = await browser.login()
    state = dict(parse_qsl(urlsplit(sent.headers["Location"]).query))["state"]

    page = await house.client.get(
        f"/api/auth/callback?state={state}&error=%3Cscript%3E",
        headers={"Cookie": browser.cookie, "Accept": "text/html"},
    )

    assert (page.status_code, "script" in await page.get_data(as_text=True)) == (401, False)


async def test_a_cancelled_sign_in_is_told(house: House, browser: Browser) -> None:
    sent = await browser.login()
    state = dict(parse_qsl(urlsplit(sent.headers["Location"]).query))["state"]

    back = await house.client.get(
        f"/api/auth/callback?state={state}&error=access_denied&error_description=no", headers={"Cookie": browser.cookie}
    )

    assert (await problem_of(back))["code"] == "sign_in_cancelled"


async def test_a_provider_that_is_down_is_told_with_a_time_to_come_back(house: House, browser: Browser) -> None:
    assert house.provider is not None
    house.provider.is_down = True

    response = await browser.login()
    page = await house.client.get("/api/auth/login", headers={"Accept": "text/html"})

    assert ((await problem_of(response))["code"], response.headers["Retry-After"]) == ("provider_unavailable", "5")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")


async def test_without_https_a_server_that_is_not_local_begins_no_sign_in() -> None:
    response = await Browser(build_house(url="http://10.0.0.5:8000")).login()

    assert (await problem_of(response))["code"] == "https_required"


async def test_on_a_loopback_address_one_is_led_to_the_name_that_the_provider_knows(house: House) -> None:
    response = await house.client.get("/api/auth/login?next=/x", headers={"Host": "localhost:8000"})

    assert (response.status_code, response.headers["Location"]) == (303, f"{LOCAL}/api/auth/login?next=%2Fx")


async def test_without_a_provider_there_is_no_sign_in_nor_a_link_to_it() -> None:
    from tests.unit.entrypoints.http.house import house_of

    from spunto.core.kernel.clock import ManualClock

    clock = ManualClock()
    async with Spunto.in_memory(clock=clock) as spunto:
        house = house_of(spunto, spunto._store, clock)

        response = await house.client.get("/api/auth/login")
        front = await house.client.get("/")

    assert (await problem_of(response))["code"] == "sign_in_off"
    assert "/api/auth/login" not in await front.get_data(as_text=True)
