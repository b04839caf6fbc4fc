"""A box on each engine, and one browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.fixtures.browsers import chromium
from tests.integration.journeys.boxes import running_box
from tests.integration.pages.served import Site, Worker, site_of


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(
    scope="module",
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)],
)
def site(request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    url = request.getfixturevalue(f"{request.param}_url")
    variable = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"}[request.param]
    with running_box(tmp_path_factory.mktemp("box"), engine_url=url, engine_variable=variable) as box:
        yield site_of(box, browser)


@pytest.fixture(scope="module")
def worker(site: Site) -> Worker:
    return site.worker("first")
