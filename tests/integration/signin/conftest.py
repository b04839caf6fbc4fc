"""One provider, server and browser for the tests of a module; each test has visitors of its own, who leave with it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.fixtures.scripts import answer_of
from tests.integration.signin.site import FLAGS, SignInSite, running_site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = answer_of("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def open_site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignInSite]:
    serve_js = answer_of("oidc-provider")
    with running_site(tmp_path_factory.mktemp("site"), serve_js=serve_js, browser=browser) as site:
        yield site


@pytest.fixture
def site(open_site: SignInSite) -> Iterator[SignInSite]:
    yield open_site
    open_site.close_visitors()
