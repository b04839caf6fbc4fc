"""Who gets to a worker's port, by what, and what becomes of everybody else."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.unit.entrypoints.edge.house import NAVIGATION, PORT, SERVER, House, a_house, cookies_of, location_of

from spunto.core.kernel.secret import Secret
from spunto.core.routes.desired import Sharing
from spunto.entrypoints.edge.seams import Answer, Forward


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        yield house


def bearer(token: object) -> dict[str, str]:
    return {"authorization": f"Bearer {token.reveal()}"}  # type: ignore[attr-defined]  # a Secret


async def enter(house: House, target: str = "/", *, port: int = PORT, token: Secret | None = None) -> dict[str, str]:
    """What a browser does: the cookie that it has at the end, as a header."""
    host = house.host(port)
    sent = await house.answer(host, target, **NAVIGATION)
    asked = parse_qs(urlsplit(location_of(sent)).query)
    actor = await house.harness.spunto.access.authenticate(token or house.harness.owner_token)
    doorman = house.harness.spunto.doorman
    code = await doorman.issue_code(actor, await doorman.door_at(host), nonce=asked["n"][0])
    back = await house.answer(
        host, f"/.spunto/cb?code={code.reveal()}&next={target}", cookie=f"spn={cookies_of(sent)['spn']}", **NAVIGATION
    )
    assert (back.status, location_of(back)) == (HTTPStatus.SEE_OTHER, target)
    return {"cookie": f"spw={cookies_of(back)['spw']}"}


async def share(house: House, sharing: Sharing, port: int = PORT) -> None:
    harness, worker = house.harness, house.worker.worker
    await harness.spunto.sharing.share(harness.owner, worker.org_id, None, worker.id, port, sharing)
    await house.settle()


async def test_everything_that_is_no_workers_goes_to_the_server(house: House) -> None:
    found = await house.forward("spunto.localhost:8000", "/api/orgs", x_forwarded_for="10.0.0.1")

    assert found.target is SERVER
    assert (b"x-forwarded-for", b"192.0.2.1") in found.headers
    assert (b"x-forwarded-for", b"10.0.0.1") not in found.headers


@pytest.mark.parametrize(
    "host",
    [
        "w.localhost",
        "x.w.localhost",
        "worker-1-3000.w.localhost",
        "worker-1-00000000000000000000000000-3000.w.localhost",
        "a.worker-1-00000000000000000000000000-3000.w.localhost",
    ],
)
async def test_a_host_below_the_base_domain_that_is_nobodys_is_not_there(house: House, host: str) -> None:
    answer = await house.answer(host)

    assert (answer.status, b"host_unknown" in answer.body) == (HTTPStatus.NOT_FOUND, True)


@pytest.mark.parametrize("port", ["0", "65536", "03000", "99999", "-1", ""])
async def test_a_port_that_is_none_is_not_there(house: House, port: str) -> None:
    answer = await house.answer(house.host(port), **NAVIGATION)

    assert answer.status == HTTPStatus.NOT_FOUND


async def test_the_index_is_part_of_the_address(house: House) -> None:
    answer = await house.answer(house.host().replace("worker-1-", "worker-2-"), **NAVIGATION)

    assert answer.status == HTTPStatus.NOT_FOUND


async def test_the_owners_token_opens_every_port(house: House) -> None:
    found = await house.forward(house.host(), "/x", **bearer(house.harness.owner_token))

    assert found.target.key[1:3] == (house.worker.worker.id, PORT)  # type: ignore[index]  # a tuple here
    assert not [value for name, value in found.headers if name == b"authorization"]


async def test_the_editors_name_leads_to_its_port(house: House) -> None:
    found = await house.forward(house.host("code"), **bearer(house.harness.owner_token))

    assert found.target.key[2] == 8080  # type: ignore[index]  # a tuple here


async def test_a_colleague_is_refused_until_it_is_shared_with_the_organization(house: House) -> None:
    bob = await house.harness.add_person("bob")

    before = await house.answer(house.host(), **bearer(bob.token))
    await share(house, Sharing.ORG)
    after = await house.ask(house.host(), **bearer(bob.token))
    other_port = await house.answer(house.host(4000), **bearer(bob.token))
    await share(house, Sharing.OWNER)
    taken_back = await house.answer(house.host(), **bearer(bob.token))

    assert (before.status, isinstance(after, Forward), other_port.status, taken_back.status) == (403, True, 403, 403)


async def test_a_public_port_asks_nobody_and_ends_when_it_is_public_no_more(house: House) -> None:
    await share(house, Sharing.PUBLIC)
    visit = await house.forward(house.host(), method="POST", origin="http://anywhere.example")

    allowed = visit.still_may(True)
    await share(house, Sharing.OWNER)

    assert (allowed, visit.still_may(True)) == (True, False)


async def test_a_person_is_sent_to_sign_in_and_comes_back_where_they_were(house: House) -> None:
    cookie = await enter(house, "/page?x=1")

    found = await house.forward(house.host(), "/page?x=1", **cookie, **NAVIGATION)

    assert not [value for name, value in found.headers if name == b"cookie"]


async def test_a_background_request_without_a_cookie_is_told_and_not_sent_elsewhere(house: House) -> None:
    answer = await house.answer(house.host(), sec_fetch_dest="empty", sec_fetch_mode="cors", accept="text/html")

    assert (answer.status, b"credential_missing" in answer.body) == (HTTPStatus.UNAUTHORIZED, True)


async def test_a_stolen_code_opens_nothing(house: House) -> None:
    host = house.host()
    sent = await house.answer(host, "/", **NAVIGATION)
    asked = parse_qs(urlsplit(location_of(sent)).query)
    doorman = house.harness.spunto.doorman
    code = await doorman.issue_code(house.harness.owner, await doorman.door_at(host), nonce=asked["n"][0])
    callback, own = f"/.spunto/cb?code={code.reveal()}", f"spn={cookies_of(sent)['spn']}"

    stolen = await house.answer(host, callback, cookie=f"spn={'x' * 43}", **NAVIGATION)
    elsewhere = await house.answer(house.host(4000), callback, cookie=own, **NAVIGATION)
    without = await house.answer(host, callback, **NAVIGATION)

    assert [each.status for each in (stolen, elsewhere, without)] == [403, 403, 403]


async def test_a_cookie_is_good_at_its_own_host_alone(house: House) -> None:
    cookie = await enter(house)

    other = await house.answer(house.host(4000), **cookie)

    assert other.status == HTTPStatus.UNAUTHORIZED


async def test_a_pass_that_a_neighbour_planted_takes_nothing_from_the_visitor(house: House) -> None:
    bob = await house.harness.add_person("bob")
    own = (await enter(house))["cookie"]
    await share(house, Sharing.ORG)
    planted = (await enter(house, token=bob.token))["cookie"]
    await share(house, Sharing.OWNER)

    found = await house.ask(house.host(), cookie=f"{planted}; {own}")

    assert isinstance(found, Forward)


async def test_another_workers_page_gets_nothing_with_the_cookie(house: House) -> None:
    cookie, foreign = await enter(house), "http://worker-9-00000000000000000000000000-3000.w.localhost"

    post = await house.answer(house.host(), method="POST", origin=foreign, **cookie)
    image = await house.answer(
        house.host(), sec_fetch_site="same-site", sec_fetch_mode="no-cors", sec_fetch_dest="image", **cookie
    )
    socket = await house.ask(house.host(), upgrade="websocket", origin=foreign, **cookie)

    assert (post.status, image.status, isinstance(socket, Answer)) == (403, 403, True)


async def test_a_page_of_another_port_of_the_worker_reads_what_it_fetches(house: House) -> None:
    cookie, origin = await enter(house, port=4000), f"http://{house.host(3000)}"

    preflight = await house.answer(
        house.host(4000), method="OPTIONS", origin=origin, access_control_request_method="PUT"
    )
    found = await house.forward(house.host(4000), method="PUT", origin=origin, sec_fetch_site="same-site", **cookie)
    answered = dict(found.edit_response(200, [(b"access-control-allow-origin", b"*"), (b"content-type", b"text/x")]))

    assert preflight.status == HTTPStatus.NO_CONTENT
    assert dict(preflight.headers)[b"access-control-allow-origin"] == origin.encode()
    assert answered == {
        b"content-type": b"text/x",
        b"access-control-allow-origin": origin.encode(),
        b"access-control-allow-credentials": b"true",
        b"vary": b"Origin",
        b"cache-control": b"private, no-cache",
    }


async def test_a_preflight_of_anybody_else_is_not_answered(house: House) -> None:
    answer = await house.answer(
        house.host(), method="OPTIONS", origin="http://evil.example", access_control_request_method="PUT"
    )

    assert (answer.status, b"access-control-allow-origin" in dict(answer.headers)) == (401, False)


async def test_what_a_worker_sets_for_its_neighbours_is_kept_from_the_browser(house: House) -> None:
    found = await house.forward(house.host(), **bearer(house.harness.owner_token))

    answered = found.edit_response(
        200, [(b"set-cookie", b"a=b; Domain=w.localhost"), (b"set-cookie", b"spw=x"), (b"set-cookie", b"own=1")]
    )

    assert list(answered) == [
        (b"set-cookie", b"own=1"),
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"Origin"),
    ]


async def test_what_not_everybody_may_see_is_asked_for_again_before_a_browser_shows_it(house: House) -> None:
    own, told = [(b"content-type", b"text/html")], [(b"content-type", b"text/html"), (b"cache-control", b"max-age=60")]
    private = await house.forward(house.host(), **bearer(house.harness.owner_token))
    await share(house, Sharing.PUBLIC)
    public = await house.forward(house.host())

    def kept(visit: Forward, status: int, headers: list[tuple[bytes, bytes]]) -> list[bytes]:
        return [value for name, value in visit.edit_response(status, headers) if name == b"cache-control"]

    assert [kept(private, status, own) for status in (200, 404, 304, 101)] == [[b"private, no-cache"]] * 2 + [[]] * 2
    assert [kept(private, 200, told), kept(public, 200, own)] == [[b"max-age=60"], []]
    assert kept(private, 200, [(b"expires", b"0")]) == kept(private, 200, [(b"pragma", b"no-cache")]) == []


async def test_a_pass_is_made_anew_by_whatever_goes_by(house: House) -> None:
    cookie = await enter(house)
    young = await house.forward(house.host(), **cookie, sec_fetch_site="same-origin")
    await house.harness.advance(11 * 60)

    old = await house.forward(house.host(), **cookie, sec_fetch_site="same-origin")
    renewed = cookies_of(old.edit_response(200, []))
    await house.harness.advance(10 * 60)
    later = await house.ask(house.host(), cookie=f"spw={renewed['spw']}")
    expired = await house.answer(house.host(), **cookie)

    assert cookies_of(young.edit_response(200, [])) == {}
    assert (isinstance(later, Forward), expired.status) == (True, HTTPStatus.UNAUTHORIZED)


async def test_a_session_that_ended_ends_what_lives_on_it_within_five_seconds(house: House) -> None:
    opened = await house.harness.spunto.access.open_session(house.harness.owner.user_id)  # type: ignore[arg-type]  # a person
    visit = await house.forward(house.host(), **bearer(opened.token))
    actor = await house.harness.spunto.access.authenticate(opened.token)

    await house.harness.spunto.sessions.end(actor)
    held = []
    for _ in range(5):
        await house.harness.advance(1.0)
        held.append(visit.still_may(False))

    assert held[-1] is False


async def test_our_own_paths_are_never_the_workers(house: House) -> None:
    answers = [
        await house.answer(house.host(), target, method=method, **bearer(house.harness.owner_token))
        for method, target in (("GET", "/.spunto/"), ("POST", "/.spunto/cb?code=1"), ("GET", "/.spunto/x?y"))
    ]

    assert [each.status for each in answers] == [404, 404, 404]


async def test_a_relay_is_there_for_the_bearer_of_a_ticket_alone(house: House) -> None:
    answers = [
        await house.answer("spunto.localhost", "/api/tunnel/relay", **headers)
        for headers in ({}, {"authorization": "Bearer x"}, bearer(house.harness.owner_token))
    ]

    assert [each.status for each in answers] == [404, 404, 404]


async def test_who_comes_back_without_the_nonce_is_told_what_happened(house: House) -> None:
    answer = await house.answer(house.host(), "/.spunto/cb?code=x", **NAVIGATION)

    assert (answer.status, b"That took too long" in answer.body) == (403, True)
