"""A terminal is signed in by a code that a person approves in a browser."""

import json
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from tests.integration.journeys.command_line import CommandLine
from tests.integration.signin.site import SignInSite, sign_in_at_provider

pytestmark = pytest.mark.browser


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(home=tmp_path)


def test_a_terminal_is_signed_in_by_whoever_approves_and_out_again(site: SignInSite, cli: CommandLine) -> None:
    page = site.visitor()
    with cli.piped("login", "--url", site.url, "--json") as login:
        assert login.stdout is not None
        told = json.loads(login.stdout.readline())
        page.goto(told["verificationUriComplete"])
        sign_in_at_provider(page, "ada")
        expect(page.get_by_text(told["userCode"])).to_be_visible()
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("The terminal is signed in.")).to_be_visible()
        done = json.loads(login.stdout.readline())
        assert login.wait(timeout=30) == 0

    assert (done["url"], done["organizations"]) == (site.url, [])
    cli.run("org", "create", "Ada's")
    assert [each["name"] for each in cli.run("org", "list", "--json").json()["items"]] == ["Ada's"]

    saved = cli.home / "spunto" / "login.json"
    token = json.loads(saved.read_text())["token"]
    assert saved.stat().st_mode & 0o777 == 0o600
    cli.run("logout")

    assert not saved.exists()
    assert httpx.get(f"{site.url}/api/orgs", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    cli.run("org", "list", code=4)
    assert site.session_of(page)[0] == 200


def test_a_terminal_that_is_denied_is_told_so(site: SignInSite, cli: CommandLine) -> None:
    page = site.person("ada")
    with cli.piped("login", "--url", site.url, "--json") as login:
        assert login.stdout is not None
        told = json.loads(login.stdout.readline())
        page.goto(told["verificationUri"])
        page.fill("input[name=code]", told["userCode"].lower().replace("-", " "))
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Deny").click()
        expect(page.get_by_text("The terminal was not signed in.")).to_be_visible()
        assert login.wait(timeout=30) == 4

    assert not (cli.home / "spunto" / "login.json").exists()


def test_a_token_that_was_handed_over_lives_on_after_a_logout(site: SignInSite, cli: CommandLine) -> None:
    owner = site.server.owner_token_file
    cli.run("login", "--url", site.url, "--token-file", str(owner))

    cli.run("logout")

    cli.run("login", "--url", site.url, "--token-file", str(owner))
