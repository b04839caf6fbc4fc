"""The compose file as an operator uses it: what it brings up serves a worker's page over https."""

from collections.abc import Iterator

import pytest
from tests.fixtures.browsers import chromium, visited
from tests.fixtures.processes import START_SECONDS
from tests.fixtures.waiting import wait_until
from tests.integration.hosted.composed import (
    OWNER_EMAIL,
    Composed,
    asked_settings,
    offered_settings,
    running_composed,
)
from tests.integration.hosted.site import Site, site_of

OURS = ("server-1", "server-2", "edge-1", "edge-2")


@pytest.fixture(scope="module")
def site(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site[Composed]]:
    with (
        running_composed(tmp_path_factory.mktemp("composed"), docker_url) as composed,
        chromium(
            f"--host-resolver-rules=MAP *.test 127.0.0.1:{composed.port}",
            f"--ignore-certificate-errors-spki-list={composed.certificate.pin}",
        ) as browser,
        site_of(composed, browser, docker_url) as site,
    ):
        yield site


def test_every_setting_of_the_compose_file_is_in_its_example() -> None:
    assert asked_settings() - offered_settings() == set()


@pytest.mark.docker
@pytest.mark.browser
@pytest.mark.long
@pytest.mark.timeout(600)
def test_what_the_compose_file_brings_up_serves_a_page_of_a_worker_over_https(site: Site[Composed]) -> None:
    compose = site.hosted.compose
    with site.signed_in() as context:
        page = context.new_page()

        answer = visited(page, f"{site.url}/page")

        assert (answer.status, page.title(), page.url) == (200, "served", f"{site.url}/page")
        assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
        [cookie] = context.cookies(site.url)
        assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("__Host-spw", True, True)
        told = visited(page, f"{site.url}/headers").json()
        assert (told["x-forwarded-proto"], told["x-forwarded-host"]) == ("https", site.host)
        assert "cookie" not in told

    # Up a second time nothing is made anew.
    before = {service: compose.inspected(service)["Id"] for service in OURS}
    compose.run("up", "--detach")
    assert {service: compose.inspected(service)["Id"] for service in OURS} == before
    assert site.answers()


@pytest.mark.docker
@pytest.mark.browser
@pytest.mark.long
def test_the_containers_of_the_compose_file_may_do_little_and_tell_nothing(site: Site[Composed]) -> None:
    compose = site.hosted.compose
    for service in OURS:
        container = compose.inspected(service)
        wait_until(lambda: _is_healthy(compose.inspected(service)), seconds=START_SECONDS, what=f"{service}")  # noqa: B023
        assert container["Config"]["User"] == "10001:10001"
        assert container["HostConfig"]["ReadonlyRootfs"]
        assert container["HostConfig"]["CapDrop"] == ["ALL"]
        assert container["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]
        assert container["HostConfig"]["PortBindings"] in ({}, None)
        assert compose.run("exec", "-T", service, "sh", "-c", "touch /here 2>/dev/null || echo refused") == "refused\n"
        assert site.hosted.token not in compose.docker("logs", container["Id"])
    assert f"SPUNTO_OWNER_EMAIL={OWNER_EMAIL}" in compose.inspected("server-1")["Config"]["Env"]


def _is_healthy(container: dict[str, object]) -> bool:
    state = container["State"]
    assert isinstance(state, dict)
    return bool(state["Health"]["Status"] == "healthy")
