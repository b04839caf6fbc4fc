"""Who may see the figures, and what stands in them."""

import pytest
from tests.unit.entrypoints.http.house import LOCAL, build_house, problem_of
from tests.unit.entrypoints.http.site import a_node, open_site

from spunto.adapters.crypto.cipher import EnvelopeCipher
from spunto.adapters.crypto.keyring import MemoryKeyring, new_key
from spunto.adapters.prometheus.metrics import Metrics
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.http.metrics import Figures
from spunto.entrypoints.scraping import CENSUS_SECONDS, Scraper
from spunto.entrypoints.serving.telemetry import Telemetry

HERE = {"Host": "127.0.0.1:8000"}
TOKEN = {"Authorization": "Bearer the-scraper-s"}


async def figures() -> bytes:
    return b"figures"


@pytest.mark.parametrize(
    ("peer", "headers", "url", "status"),
    [
        ("127.0.0.1", HERE, LOCAL, 200),
        ("::1", {"Host": "localhost:8000"}, LOCAL, 200),
        ("192.0.2.1", HERE, LOCAL, 403),
        ("127.0.0.1", {**HERE, "X-Forwarded-For": "192.0.2.1"}, LOCAL, 403),
        # A foreign page whose name was made to lead here.
        ("127.0.0.1", {"Host": "evil.example.org:8000"}, LOCAL, 403),
        # Perhaps a proxy on the same machine.
        ("127.0.0.1", {"Host": "spunto.example.org"}, "https://spunto.example.org", 403),
        ("127.0.0.1", HERE, "https://spunto.example.org", 403),
    ],
)
async def test_without_a_token_only_this_machine_sees_them(
    peer: str, headers: dict[str, str], url: str, status: int
) -> None:
    house = build_house(url=url, figures=Figures(scrape=figures))

    response = await house.client.get("/metrics", headers=headers, scope_base={"client": (peer, 1)})

    assert response.status_code == status
    if status != 200:
        assert (await problem_of(response))["code"] == "metrics_closed"


@pytest.mark.parametrize(
    ("headers", "status"),
    [(TOKEN, 200), ({}, 401), ({"Authorization": "Bearer another"}, 401), (HERE, 401)],
)
async def test_with_a_token_only_who_has_it_sees_them(headers: dict[str, str], status: int) -> None:
    house = build_house(figures=Figures(scrape=figures, token=Secret("the-scraper-s")))

    response = await house.client.get("/metrics", headers=headers, scope_base={"client": ("127.0.0.1", 1)})

    assert response.status_code == status


async def test_no_session_opens_them() -> None:
    house = build_house(figures=Figures(scrape=figures, token=Secret("the-scraper-s")))
    ann = await house.person("ann")

    assert (await house.call(ann, "GET", "/metrics")).status_code == 401


async def test_requests_are_counted_by_route_and_nothing_that_is_invented_makes_a_figure() -> None:
    metrics = Metrics()
    house = build_house(telemetry=Telemetry(request_took=metrics.request_took))
    ann = await house.person("ann")

    for method, path in [("GET", f"/api/orgs/{ann.org_id}"), ("GET", "/nowhere/1"), ("INVENTED", "/nowhere/2")]:
        await house.call(ann, method, path)

    counted = [line for line in metrics.text().decode().splitlines() if "request_seconds_count" in line]
    assert sorted(counted) == [
        'spunto_http_request_seconds_count{method="GET",route="/api/orgs/{orgId}",status="200"} 1.0',
        'spunto_http_request_seconds_count{method="GET",route="unknown",status="404"} 1.0',
        'spunto_http_request_seconds_count{method="OTHER",route="unknown",status="404"} 1.0',
    ]


async def test_nodes_workers_and_agents_are_counted_and_the_census_is_not_taken_for_every_scrape() -> None:
    metrics, clock = Metrics(), ManualClock()
    async with open_site() as site:
        scraper = Scraper(metrics, site.harness.spunto, clock=clock)
        metrics.count_live(sockets=lambda: len(site.house.sockets), agents=lambda: len(site.harness.spunto.links))
        await a_node(site)
        await site.worker()

        first = (await scraper.scrape()).decode()
        await a_node(site, "two")
        cached = (await scraper.scrape()).decode()
        clock.advance(CENSUS_SECONDS)
        fresh = (await scraper.scrape()).decode()

    assert 'spunto_nodes{status="online"} 1.0' in first
    assert 'spunto_workers{state="ready"} 1.0' in first
    assert "spunto_agents_connected 1.0" in first
    assert ('spunto_nodes{status="online"} 1.0' in cached, "spunto_agents_connected 2.0" in cached) == (True, True)
    assert 'spunto_nodes{status="online"} 2.0' in fresh


async def test_a_rotation_can_be_seen_to_end() -> None:
    metrics, clock, keyring = Metrics(), ManualClock(), MemoryKeyring()
    house = build_house(cipher=EnvelopeCipher(keyring))
    scraper = Scraper(metrics, house.spunto, clock=clock)
    ann = await house.person("ann")
    await house.call(ann, "POST", "/api/users/me/secrets", {"name": "TOKEN", "value": "v"})

    told = [await scraper.scrape()]
    keyring.add(new_key())
    clock.advance(CENSUS_SECONDS)
    told.append(await scraper.scrape())
    await house.spunto.rotation.rewrap_all()
    clock.advance(CENSUS_SECONDS)
    told.append(await scraper.scrape())

    assert [float(text.partition(b"\nspunto_secrets_under_old_keys ")[2].split()[0]) for text in told] == [0, 1, 0]


def test_what_a_loop_does_is_counted_with_its_failures() -> None:
    metrics = Metrics()

    with metrics.around_item("worker", "wkr_1"):
        pass
    with pytest.raises(ValueError, match="broken"), metrics.around_item("worker", "wkr_2"):
        raise ValueError("broken")

    text = metrics.text().decode()
    assert 'spunto_reconcile_seconds_count{kind="worker"} 2.0' in text
    assert 'spunto_reconcile_failures_total{kind="worker"} 1.0' in text
