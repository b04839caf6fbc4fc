"""Too often is a 429 with Retry-After, at both doors, and nobody pays for somebody else."""

from collections.abc import AsyncIterator, Mapping
from ipaddress import ip_network
from typing import Any

import pytest
from quart.wrappers import Response
from tests.unit.entrypoints.http.house import House, Person, build_house, problem_of
from tests.unit.entrypoints.http.site import Site, a_node, id_of, open_site
from tests.unit.entrypoints.ws.visitor import Visitor

from spunto.core.kernel.buckets import Rate
from spunto.core.kernel.clock import ManualClock
from spunto.core.protocol.closing import UNAUTHENTICATED
from spunto.entrypoints.serving.addresses import ClientAddresses
from spunto.entrypoints.serving.endpoints import HTTP, OWN_CREDENTIAL, PUBLIC, WEBSOCKETS, limit_of
from spunto.entrypoints.serving.limits import Limit, Limits

ONE_A_SECOND = Rate(per_second=1, burst=1)
HERE, THERE = "192.0.2.1", "198.51.100.9"
BAD = {"Authorization": "Bearer not-a-good-one"}


def a_house(*limited: Limit, **changes: Any) -> House:
    return build_house(rates=dict.fromkeys(limited, ONE_A_SECOND), **changes)


async def ask(house: House, path: str, headers: Mapping[str, str], *, peer: str = HERE) -> Response:
    return await house.client.get(path, headers=dict(headers), scope_base={"client": (peer, 40_000)})


async def status(house: House, path: str, headers: Mapping[str, str], *, peer: str = HERE) -> int:
    return (await ask(house, path, headers, peer=peer)).status_code


async def test_a_credential_that_asks_too_often_is_told_when_to_come_back() -> None:
    house = a_house(Limit.API)
    ann = await house.person("ann")

    first = await house.call(ann, "GET", "/api/orgs")
    refused = await house.call(ann, "GET", "/api/orgs")
    house.clock.advance(float(refused.headers["Retry-After"]))
    again = await house.call(ann, "GET", "/api/orgs")

    problem = await problem_of(refused)
    assert (first.status_code, problem["status"], problem["code"], problem["limit"], again.status_code) == (
        200,
        429,
        "rate_limited",
        "api",
        200,
    )


async def test_one_credential_takes_nothing_from_another() -> None:
    house = a_house(Limit.API)
    ann, bob = await house.person("ann"), await house.person("bob")

    assert [await status(house, "/api/orgs", who.bearer) for who in (ann, bob, ann, bob)] == [200, 200, 429, 429]


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/agent/install.sh", "/api/orgs"])
async def test_without_a_credential_the_address_is_counted(path: str) -> None:
    house = a_house(Limit.ADDRESS)

    first, second = await status(house, path, {}), await status(house, path, {})
    elsewhere = await status(house, path, {}, peer=THERE)

    assert (second, first == elsewhere != 429) == (429, True)


async def test_probes_are_never_refused() -> None:
    house = build_house(rates=dict.fromkeys(Limit, ONE_A_SECOND))

    assert [await status(house, path, {}) for path in ("/healthz", "/readyz") * 3] == [200] * 6


async def test_steps_of_a_sign_in_are_counted_by_address() -> None:
    house = a_house(Limit.SIGN_IN)

    codes = [await status(house, "/api/auth/bootstrap?code=x", {}, peer=peer) for peer in (HERE, HERE, THERE)]

    assert codes == [401, 429, 401]


async def test_bad_credentials_are_counted_by_address_and_then_not_even_looked_up() -> None:
    house = a_house(Limit.FAILURE)
    ann = await house.person("ann")

    tried = [await status(house, "/api/orgs", BAD, peer=peer) for peer in (HERE, HERE, THERE)]
    stranger = await status(house, "/api/orgs", ann.bearer)

    assert (tried, stranger) == ([401, 429, 401], 429)


async def test_whoever_was_in_before_does_not_pay_for_a_neighbour_s_failures() -> None:
    house = a_house(Limit.FAILURE)
    ann = await house.person("ann")

    codes = [await status(house, "/api/orgs", headers) for headers in (ann.bearer, BAD, BAD, ann.bearer)]

    assert codes == [200, 401, 429, 200]


@pytest.mark.parametrize("forged", ["203.0.113.1", "127.0.0.1", "10.0.0.9"])
async def test_a_forged_address_helps_nobody(forged: str) -> None:
    house = a_house(Limit.ADDRESS, clients=ClientAddresses([ip_network("10.0.0.0/8")]))

    direct = [await status(house, "/", {"X-Forwarded-For": said}, peer=HERE) for said in (HERE, forged)]
    behind = [
        await status(house, "/", {"X-Forwarded-For": said}, peer="10.0.0.1")
        for said in (THERE, f"{forged}, {THERE}", "203.0.113.99")
    ]

    assert (direct, behind) == ([200, 429], [200, 429, 200])


async def test_a_neighbour_in_the_same_ipv6_network_is_the_same_client() -> None:
    house = a_house(Limit.ADDRESS)

    assert [await status(house, "/", {}, peer=f"2001:db8::{host}") for host in (1, 2)] == [200, 429]


@pytest.fixture
async def limited_site() -> AsyncIterator[Site]:
    rates = dict.fromkeys((Limit.SPAWN, Limit.ENTER, Limit.CONNECT, Limit.FAILURE), ONE_A_SECOND)
    async with open_site(rates=rates) as site:
        await a_node(site)
        yield site


async def test_new_workers_are_counted_by_organization_and_refusals_are_not(limited_site: Site) -> None:
    site = limited_site
    project = await site.project()
    member, stranger = await site.member("bob"), await site.house.person("eve")

    async def spawn(by: Person) -> int:
        return (await site.call("POST", f"{project}/workers", {}, by=by)).status_code

    assert [await spawn(by) for by in (stranger, stranger, member, site.owner)] == [404, 404, 202, 429]
    org = (await site.call("POST", "/api/orgs", {"name": "eves"}, by=stranger)).headers["Location"]
    made = await site.call("POST", f"{org}/projects", {"name": "p", "image": "debian"}, by=stranger)
    unhosted = await site.call("POST", f"{made.headers['Location']}/workers", {}, by=stranger)
    assert unhosted.status_code == 409


async def test_commands_and_terminals_are_counted_together_by_person(limited_site: Site) -> None:
    site = limited_site
    worker = await site.worker()
    target = f"/api/workers/{id_of(worker)}/terminal"

    await site.json("POST", f"{worker}/exec", {"command": "true"})
    async with Visitor(site.house.app, target, site.owner.bearer) as visitor:
        refused, problem = await visitor.refusal()
    stranger = await site.member("bob")
    async with Visitor(site.house.app, target, stranger.bearer) as other:
        forbidden, _ = await other.refusal()

    assert (refused, problem["code"], visitor.refusal_headers["Retry-After".lower()]) == (429, "rate_limited", "1")
    assert forbidden == 403


async def test_agents_are_counted_by_address_and_a_refused_one_is_told_before_the_upgrade(limited_site: Site) -> None:
    site = limited_site
    connect, headers = "/api/agent/connect", {"Authorization": "Bearer nonsense"}

    async with Visitor(site.house.app, connect, headers, peer=HERE) as first:
        await first.accepted()
        code = await first.close_code()
    async with Visitor(site.house.app, connect, headers, peer=HERE) as second:
        refused, _ = await second.refusal()

    assert (code, refused, second.refusal_headers["retry-after"]) == (UNAUTHENTICATED, 429, "1")


def test_what_is_not_listed_is_not_limited() -> None:
    limits = Limits({}, clock=ManualClock())

    for _ in range(1000):
        limits.take(Limit.API, "a")


def test_everything_that_takes_a_credential_of_its_own_is_limited_by_address() -> None:
    own = [endpoint for endpoint, access in {**HTTP, **WEBSOCKETS}.items() if access == OWN_CREDENTIAL]

    limits = {endpoint: limit_of(endpoint, OWN_CREDENTIAL) for endpoint in own}

    assert limits
    assert set(limits.values()) <= {Limit.SIGN_IN, Limit.CONNECT, Limit.ADDRESS}, limits


def test_what_is_limited_beside_each_request_of_a_credential() -> None:
    endpoints = {**HTTP, **WEBSOCKETS}
    limited = {endpoint: limit_of(endpoint, access) for endpoint, access in endpoints.items()}

    of_actions = {each: limited[each] for each, access in endpoints.items() if access not in (PUBLIC, OWN_CREDENTIAL)}
    worker = "/api/orgs/{orgId}/projects/{projectId}/workers"
    assert {each: limit for each, limit in of_actions.items() if limit is not None} == {
        "POST /device": Limit.SIGN_IN,
        "POST /api/orgs/{orgId}/invites": Limit.INVITE,
        f"POST {worker}": Limit.SPAWN,
        f"POST {worker}/{{workerId}}/exec": Limit.ENTER,
        "POST /api/orgs/{orgId}/workers/{workerId}/exec": Limit.ENTER,
        "/api/workers/{workerId}/terminal": Limit.ENTER,
    }
    of_strangers = {each: limit for each, limit in limited.items() if each not in of_actions}
    assert {each for each, limit in of_strangers.items() if limit is None} == {"GET /healthz", "GET /readyz"}
    assert {each: limit for each, limit in of_strangers.items() if limit not in (None, Limit.ADDRESS)} == {
        "GET /api/auth/bootstrap": Limit.SIGN_IN,
        "GET /api/auth/callback": Limit.SIGN_IN,
        "GET /api/auth/login": Limit.SIGN_IN,
        "POST /api/auth/device": Limit.SIGN_IN,
        "/api/agent/connect": Limit.CONNECT,
        "/api/edge/connect": Limit.CONNECT,
    }
