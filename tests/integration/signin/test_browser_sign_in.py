"""People sign in at a real provider, in a real browser, and out again."""

import httpx
import pytest
from playwright.sync_api import expect
from tests.integration.signin.site import SignInSite, session_cookie, sign_in_at_provider

pytestmark = pytest.mark.browser


def test_somebody_signs_in_from_the_front_page_and_out_again(site: SignInSite) -> None:
    page = site.visitor()
    page.goto(site.url)
    page.get_by_role("link", name="Sign in").click()
    sign_in_at_provider(page, "ada")
    page.wait_for_url(f"{site.url}/")

    expect(page.get_by_text("You are signed in.")).to_be_visible()
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies(site.url)}
    assert "oidc" not in cookies
    assert (cookies["session"]["httpOnly"], cookies["session"]["sameSite"]) == (True, "Lax")
    status, user_id = site.session_of(page)
    assert (status, user_id[:4]) == (200, "usr_")

    token = session_cookie(page)
    page.get_by_role("button", name="Sign out", exact=True).click()

    expect(page.get_by_text("You are not signed in.")).to_be_visible()
    replayed = httpx.get(f"{site.url}/api/auth/session", headers={"Cookie": f"session={token}"})
    assert (replayed.status_code, replayed.json()["code"]) == (401, "credential_not_good")


def test_the_same_person_is_the_same_user_in_every_browser_and_signs_out_of_all(site: SignInSite) -> None:
    first, second = site.person("bob"), site.person("bob")
    assert site.session_of(first) == site.session_of(second)
    assert session_cookie(first) != session_cookie(second)

    first.get_by_role("button", name="Sign out on all devices").click()
    expect(first.get_by_text("You are not signed in.")).to_be_visible()

    assert site.session_of(second) == (401, "credential_not_good")


def test_a_new_sign_in_ends_the_session_that_the_browser_had(site: SignInSite) -> None:
    page = site.person("cay")
    before = session_cookie(page)

    page.goto(f"{site.url}/api/auth/login")
    page.wait_for_url(f"{site.url}/")

    after = session_cookie(page)
    old = httpx.get(f"{site.url}/api/auth/session", headers={"Cookie": f"session={before}"})
    assert (before != after, old.status_code, site.session_of(page)[0]) == (True, 401, 200)


def test_whoever_cancels_is_told_so(site: SignInSite) -> None:
    page = site.visitor()
    page.goto(f"{site.url}/api/auth/login")
    page.get_by_text("Cancel").click()

    expect(page.get_by_text("The sign-in was cancelled")).to_be_visible()
    assert site.session_of(page) == (401, "credential_missing")


def test_an_address_that_the_provider_has_not_verified_lets_nobody_in(site: SignInSite) -> None:
    page = site.visitor()
    page.goto(f"{site.url}/api/auth/login")
    sign_in_at_provider(page, "unverified-eve")

    expect(page.get_by_text("is not verified; verify it there")).to_be_visible()
    assert site.session_of(page) == (401, "credential_missing")


def test_by_the_machines_other_name_one_is_led_to_the_one_that_the_provider_knows(site: SignInSite) -> None:
    page = site.visitor()
    page.goto(f"{site.url.replace('127.0.0.1', 'localhost')}/api/auth/login")
    sign_in_at_provider(page, "dan")

    page.wait_for_url(f"{site.url}/")
    assert site.session_of(page)[0] == 200
