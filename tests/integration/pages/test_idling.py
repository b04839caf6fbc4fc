"""Workers that nobody uses are stopped, on each engine at once, because the time is the least that may be asked for."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import Browser
from tests.fixtures.browsers import visited
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import running_box
from tests.integration.pages.served import Site, Worker, site_of

pytestmark = [
    pytest.mark.docker,
    pytest.mark.podman,
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.timeout(300),
]

TIMEOUT_SECONDS: Final = 60
# Uses that follow sooner on each other are no news.
NEWS_SECONDS: Final = TIMEOUT_SECONDS / 4
# From `stopsAt` on: the server's next look, and the engine's stop.
STOP_SECONDS: Final = 20.0


@pytest.fixture(scope="module")
def sites(
    docker_url: str, podman_url: str, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Site]]:
    with ExitStack() as stack:
        yield [
            site_of(
                stack.enter_context(
                    running_box(tmp_path_factory.mktemp("box"), engine_url=url, engine_variable=variable)
                ),
                browser,
                idleTimeoutSeconds=TIMEOUT_SECONDS,
            )
            for url, variable in ((docker_url, "DOCKER_HOST"), (podman_url, "CONTAINER_HOST"))
        ]


def shown(worker: Worker) -> dict[str, Any]:
    with worker.site.box.api() as api:
        return dict(api.get(worker.api_path).json())


def time_of(told: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(told[name])


def use_in_time_for_news(worker: Worker) -> datetime:
    """When the worker is to stop, after a request that was told of."""
    before = shown(worker)
    is_news_at = time_of(before["lastActivity"], "at") + timedelta(seconds=NEWS_SECONDS + 1)
    wait_until(lambda: datetime.now(UTC) >= is_news_at, seconds=NEWS_SECONDS + 10, what="another use is told of")
    asked_at = datetime.now(UTC)
    assert worker.get(3000, "/").is_success

    def told() -> dict[str, Any] | None:
        now = shown(worker)
        return now if datetime.fromisoformat(now["lastActivity"]["at"]) >= asked_at - timedelta(seconds=1) else None

    after = wait_until(told, seconds=30, what="the use is told")
    assert after["lastActivity"]["source"] == "http"
    assert time_of(after, "stopsAt") > time_of(before, "stopsAt")
    return time_of(after, "stopsAt")


def look_until_stopped(worker: Worker, stops_at: datetime) -> None:
    """By everything that only looks, each half a second."""

    def has_stopped() -> bool:
        told = shown(worker)
        if told["state"] != "ready":
            return True
        assert time_of(told, "stopsAt") == stops_at, "looking counts as use"
        with worker.site.box.api() as api:
            assert api.get(f"{worker.api_path}/ports").is_success
            assert api.get(f"{worker.api_path}/logs").is_success
        return False

    left = stops_at - datetime.now(UTC) + timedelta(seconds=STOP_SECONDS)
    wait_until(has_stopped, seconds=left.total_seconds(), what="it is stopped", every_seconds=0.5)


def test_a_worker_is_kept_awake_by_traffic_alone_and_stopped_when_it_said_and_woken_by_a_navigation(
    sites: list[Site], browser: Browser
) -> None:
    workers = [site.worker("sleeper") for site in sites]
    stop_times = [use_in_time_for_news(worker) for worker in workers]

    for worker, stops_at in zip(workers, stop_times, strict=True):
        look_until_stopped(worker, stops_at)

    for worker, stops_at in zip(workers, stop_times, strict=True):
        told = wait_until(
            lambda: (now := shown(worker))["state"] == "stopped" and now,  # noqa: B023
            seconds=STOP_SECONDS,
            what="it is stopped",
        )
        assert (told["stopReason"], told["stopsAt"], told["error"]) == ("idle", None, None)
        stopped_at = time_of(told, "stoppedAt")
        assert stops_at <= stopped_at <= stops_at + timedelta(seconds=STOP_SECONDS)
        with worker.site.signed_in() as context:
            page = context.new_page()
            visited(page, worker.url(3000))
            page.wait_for_function("document.title === 'of 3000'")
        awake = shown(worker)
        assert (awake["state"], awake["stopReason"]) == ("ready", None)
        assert time_of(awake, "stopsAt") > datetime.now(UTC)
