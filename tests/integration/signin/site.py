"""A server whose people sign in at a real OpenID provider, and a browser in front of it."""

import http.client
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from playwright.sync_api import Browser, BrowserContext, Page
from tests.fixtures.processes import Program, Server, ended, free_port, server_of
from tests.fixtures.waiting import wait_until
from tests.integration.signin.foreign import ForeignSite

from spunto.entrypoints.http.oauth import DEVICE_GRANT

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP evil.test 127.0.0.1",
)
START_SECONDS = 30.0
CLIENT_ID = "spunto"
CLIENT_SECRET = "of tests: only"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSite:
    server: Server
    issuer: str
    browser: Browser
    foreign: ForeignSite
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url

    def close_visitors(self) -> None:
        while self.contexts:
            self.contexts.pop().close()

    def visitor(self) -> Page:
        """A browser that knows nothing yet. Only this machine is in reach: the provider's pages name a font."""
        context = self.browser.new_context()
        context.set_default_timeout(15_000)
        context.route(
            lambda url: not url.startswith(("http://127.0.0.1:", "http://localhost:", "http://evil.test:")),
            lambda route: route.abort(),
        )
        self.contexts.append(context)
        return context.new_page()

    def person(self, name: str) -> Page:
        """A browser in which somebody has signed in, at the front page."""
        page = self.visitor()
        page.goto(f"{self.url}/api/auth/login")
        sign_in_at_provider(page, name)
        page.wait_for_url(f"{self.url}/")
        return page

    def session_of(self, page: Page) -> tuple[int, str]:
        """Status and user id, or problem code, as the browser's own cookie gets them."""
        answer = page.request.get(f"{self.url}/api/auth/session")
        body = answer.json()
        return answer.status, str(body.get("userId") or body.get("code"))

    def begin_device(self) -> Mapping[str, str]:
        body: dict[str, str] = (
            httpx.post(f"{self.url}/api/auth/device", data={"client_id": "tests"}).raise_for_status().json()
        )
        return body

    def device_answer(self, device_code: str) -> str:
        answer = httpx.post(
            f"{self.url}/api/auth/device/token", data={"grant_type": DEVICE_GRANT, "device_code": device_code}
        )
        return "signed_in" if answer.is_success else str(answer.json()["code"])


def sign_in_at_provider(page: Page, name: str) -> None:
    """On the provider's pages: log in, and let this server know of it."""
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", "any")
    page.click("button[type=submit]")
    page.click("button[type=submit]")


def session_cookie(page: Page) -> str:
    return next(str(cookie["value"]) for cookie in page.context.cookies() if cookie["name"] == "session")


@contextmanager
def running_site(directory: Path, *, serve_js: str, browser: Browser) -> Iterator[SignInSite]:
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    server = server_of(
        directory / "server",
        environment={
            "SPUNTO_OIDC_ISSUER": issuer,
            "SPUNTO_OIDC_CLIENT_ID": CLIENT_ID,
            "SPUNTO_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "SPUNTO_RATE_LIMITS": "false",
        },
    )
    provider = Program(
        name="provider",
        command=["node", serve_js],
        environment={
            "PORT": str(port),
            "CLIENT_ID": CLIENT_ID,
            "CLIENT_SECRET": CLIENT_SECRET,
            "REDIRECT_URI": f"{server.url}/api/auth/callback",
            "PATH": os.environ["PATH"],
        },
        log=directory / "provider.log",
    )
    with ended([provider, server]), ForeignSite.running() as foreign:
        provider.start()
        server.start()
        wait_until(lambda: _answers(port), seconds=START_SECONDS, what=f"the provider\n{provider.tail()}")
        server.wait_ready()
        yield SignInSite(server=server, issuer=issuer, browser=browser, foreign=foreign)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/.well-known/openid-configuration")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
