"""What foreign pages try on somebody who is signed in, in a real browser: none of it succeeds."""

import pytest
from playwright.sync_api import Page, expect
from tests.integration.signin.site import SignInSite, session_cookie, sign_in_at_provider

pytestmark = pytest.mark.browser

ORIGINS = ("cross-site", "same-site")
WORKER = "wkr_00000000000000000000000000"
SOCKET = f"""address => new Promise(done => {{
  const socket = new WebSocket(address.replace("http", "ws") + "/api/workers/{WORKER}/terminal");
  socket.onopen = () => done("open");
  socket.onerror = () => done("refused");
}})"""


@pytest.mark.parametrize(
    "path", ["https://evil.test", "//evil.test", "/\\evil.test", "/%09/evil.test", "javascript:x", "%2F%2Fevil.test"]
)
def test_a_sign_in_never_leads_elsewhere(site: SignInSite, path: str) -> None:
    page = site.visitor()
    page.goto(f"{site.url}/api/auth/login?next={path}")
    sign_in_at_provider(page, "ada")

    page.wait_for_url(f"{site.url}/")
    assert site.session_of(page)[0] == 200


def test_a_callback_of_somebody_elses_sign_in_signs_nobody_in(site: SignInSite) -> None:
    attacker, victim = site.visitor(), site.visitor()
    attacker.route("**/api/auth/callback**", lambda route: route.abort())
    attacker.goto(f"{site.url}/api/auth/login")
    with attacker.expect_request("**/api/auth/callback**") as stopped:
        sign_in_at_provider(attacker, "mallory")

    victim.goto(stopped.value.url)

    expect(victim.get_by_text("was begun in another browser")).to_be_visible()
    assert site.session_of(victim) == (401, "credential_missing")


def test_a_made_up_cookie_is_nobodys(site: SignInSite) -> None:
    page = site.visitor()
    page.context.add_cookies([{"name": "session", "value": f"sps_{'A' * 43}", "url": site.url}])

    page.goto(site.url)

    expect(page.get_by_text("You are not signed in.")).to_be_visible()
    assert site.session_of(page) == (401, "credential_not_good")


def test_a_cookie_that_a_neighbour_plants_makes_nobody_the_neighbour(site: SignInSite) -> None:
    mallory, victim = site.person("mallory"), site.person("ada")
    own = session_cookie(victim)
    # Cookies know no ports: what another program on this machine serves may set some for ours.
    site.foreign.page = f"""<script>
      document.cookie = "session={session_cookie(mallory)}; path=/";
      document.cookie = "session={session_cookie(mallory)}; path=/api";
    </script>"""

    victim.goto(site.foreign.origins["same-site"])
    victim.goto(site.url)

    expect(victim.get_by_text("You are signed in.")).to_be_visible()
    assert site.session_of(victim) == (400, "duplicate_cookie")
    at_root = [c for c in victim.context.cookies(site.url) if (c["name"], c["path"]) == ("session", "/")]
    assert [cookie["value"] for cookie in at_root] == [own]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_form_changes_nothing(site: SignInSite, origin: str) -> None:
    victim, device = site.person("ada"), site.begin_device()
    site.foreign.page = f"""
      <form id="out" method="post" action="{site.url}/api/auth/logout" target="_blank"></form>
      <form id="device" method="post" action="{site.url}/device">
        <input name="code" value="{device["user_code"]}"><input name="decision" value="approve">
      </form>"""

    for form in ("out", "device"):
        victim.goto(site.foreign.origins[origin])
        with victim.context.expect_event("response", lambda answer: answer.request.method == "POST") as caught:
            victim.evaluate("form => document.getElementById(form).submit()", form)
        # Across sites the cookie does not even come along.
        assert caught.value.status == {"cross-site": 401, "same-site": 403}[origin]

    assert site.session_of(victim)[0] == 200
    assert site.device_answer(device["device_code"]) == "authorization_pending"


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_script_changes_and_reads_nothing(site: SignInSite, origin: str) -> None:
    victim = site.person("ada")
    site.foreign.page = "<p>Nothing to see.</p>"
    victim.goto(site.foreign.origins[origin])

    sent = victim.evaluate(
        """address => fetch(address + "/api/auth/logout", {method: "POST", credentials: "include", mode: "no-cors"})
             .then(answer => answer.type)""",
        site.url,
    )
    read = victim.evaluate(
        """address => fetch(address + "/api/auth/session", {credentials: "include"})
             .then(() => "read", () => "refused")""",
        site.url,
    )

    assert (sent, read, site.session_of(victim)[0]) == ("opaque", "refused", 200)


@pytest.mark.parametrize(
    ("origin", "answer"), [("cross-site", "HTTP Authentication failed"), ("same-site", "response code: 403")]
)
def test_a_foreign_page_opens_no_socket(site: SignInSite, origin: str, answer: str) -> None:
    victim = site.person("ada")
    # Our own page is let through to the worker, which is not there; that is how far a foreign one must not come.
    assert "response code: 404" in _socket_of(victim, site.url)
    site.foreign.page = "<p>Nothing to see.</p>"
    victim.goto(site.foreign.origins[origin])

    assert answer in _socket_of(victim, site.url)


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("path", ["/", "/api/docs"])
def test_no_page_of_ours_shows_in_a_foreign_frame(site: SignInSite, origin: str, path: str) -> None:
    victim = site.person("ada")
    site.foreign.page = f'<iframe src="{site.url}{path}"></iframe>'

    with victim.expect_console_message(lambda message: "frame-ancestors" in message.text):
        victim.goto(site.foreign.origins[origin])


def test_nobody_approves_a_terminal_through_a_frame(site: SignInSite) -> None:
    victim, device = site.person("ada"), site.begin_device()
    shown = f"{site.url}/device?code={device['user_code']}"
    # On another site the frame would get no cookie, and no further than the sign-in.
    site.foreign.page = f'<iframe src="{shown}"></iframe>'

    with victim.expect_console_message(lambda message: "frame-ancestors" in message.text):
        victim.goto(site.foreign.origins["same-site"])

    victim.goto(shown)
    expect(victim.get_by_role("button", name="Approve")).to_be_visible()


def _socket_of(page: Page, url: str) -> str:
    """What becomes of a WebSocket from the page, which only the browser's console tells."""
    with page.expect_console_message(lambda message: "WebSocket connection to" in message.text) as told:
        assert page.evaluate(SOCKET, url) == "refused"
    return told.value.text
