"""One hosted Spunto with a node on Docker and a worker, and a browser, for all tests of a module."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from tests.fixtures.browsers import chromium
from tests.fixtures.postgres import fresh_database
from tests.integration.hosted.hosted import Hosted, running_hosted
from tests.integration.hosted.site import Site, site_of


@pytest.fixture(scope="module")
def site(postgres_url: str, docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site[Hosted]]:
    with (
        _database(postgres_url) as url,
        running_hosted(tmp_path_factory.mktemp("hosted"), url) as hosted,
        # All hosts are on this machine. Who else's certificate it is, the browser would refuse.
        chromium(
            "--host-resolver-rules=MAP *.test 127.0.0.1",
            f"--ignore-certificate-errors-spki-list={hosted.certificate.pin}",
        ) as browser,
        site_of(hosted, browser, docker_url) as site,
    ):
        yield site


@contextmanager
def _database(postgres_url: str) -> Iterator[str]:
    """One that lives as long as a module."""
    with ThreadPoolExecutor(1) as thread, asyncio.Runner() as runner:
        # In a thread, because a browser's driver has a loop in this one.
        making = fresh_database(postgres_url)
        yield thread.submit(runner.run, making.__aenter__()).result()
        thread.submit(runner.run, making.__aexit__(None, None, None)).result()
