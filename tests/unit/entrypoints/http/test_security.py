"""Credentials, cookies, origins and request ids."""

import pytest
from tests.unit.entrypoints.http.house import LOCAL, House
from werkzeug.datastructures import Headers

from spunto.core.kernel.errors import Forbidden, Malformed, Unauthenticated
from spunto.entrypoints.serving.security import Doorkeeper, PublicAddress, bearer_of, cookies_named, request_id_of

HTTPS = PublicAddress(url="https://spunto.example.org")


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("https://spunto.example.org", set()),
        ("http://spunto.localhost:8000", {"127.0.0.1:8000", "localhost:8000"}),
        ("http://127.0.0.1:8000", {"localhost:8000"}),
        ("http://10.0.0.5", set()),
        ("http://localhost", {"127.0.0.1"}),
        ("https://[::1]:8443", {"127.0.0.1:8443", "localhost:8443"}),
    ],
)
def test_only_a_loopback_address_has_other_names(url: str, names: set[str]) -> None:
    assert PublicAddress(url=url).other_names == names


def test_the_cookie_is_bound_to_the_host_wherever_there_is_https() -> None:
    assert HTTPS.cookie_name == "__Host-session"
    assert PublicAddress(url=LOCAL).cookie_name == "session"
    assert (HTTPS.flow_cookie_name, PublicAddress(url=LOCAL).flow_cookie_name) == ("__Host-oidc", "oidc")


@pytest.mark.parametrize(
    ("url", "host", "is_other"),
    [
        (LOCAL, "localhost:8000", True),
        (LOCAL, "127.0.0.1:8000", False),
        (LOCAL, "localhost:8001", False),
        (LOCAL, "evil.example.org", False),
        ("https://spunto.example.org", "localhost", False),
        ("https://spunto.example.org", "spunto.example.org", False),
    ],
)
def test_a_loopback_address_knows_its_other_names(url: str, host: str, is_other: bool) -> None:
    assert PublicAddress(url=url).is_other_name(host) is is_other


def test_sockets_are_where_the_pages_are() -> None:
    assert (HTTPS.websocket_url, PublicAddress(url=LOCAL).websocket_url) == (
        "wss://spunto.example.org",
        "ws://127.0.0.1:8000",
    )


def test_a_token_may_be_as_long_as_it_may_be() -> None:
    token = bearer_of(Headers({"Authorization": f"bearer  {'x' * 512} "}))

    assert token is not None
    assert token.reveal() == "x" * 512


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_cookie_reads_from_wherever_it_comes(house: House, method: str) -> None:
    ann = await house.person("ann")
    headers = Headers({"Cookie": f"session={ann.token}", "Origin": "http://evil.org"})

    actor = await Doorkeeper(house.access, PublicAddress(url=LOCAL)).admit(headers, method=method, request_id="r")

    assert actor.user_id == ann.user_id


async def test_who_is_signed_in_is_known_and_who_is_not_is_no_error(house: House) -> None:
    ann = await house.person("ann")
    doorkeeper = Doorkeeper(house.access, PublicAddress(url=LOCAL))
    signed_in, stale = Headers({"Cookie": f"session={ann.token}"}), Headers({"Cookie": "session=gone"})

    assert [await doorkeeper.knows(each) for each in (signed_in, stale, Headers())] == [True, False, False]


@pytest.mark.parametrize(
    "value", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "sps_token", f"Bearer {'x' * 513}", "Bearer ä"]
)
def test_an_authorization_that_is_no_bearer_token_is_refused_not_ignored(value: str) -> None:
    with pytest.raises(Unauthenticated):
        bearer_of(Headers([("Authorization", value)]))


def test_two_authorizations_are_malformed() -> None:
    with pytest.raises(Malformed, match="only once"):
        bearer_of(Headers([("Authorization", "Bearer a"), ("Authorization", "Bearer b")]))


def test_cookies_are_found_in_every_cookie_header_and_names_are_compared_whole() -> None:
    headers = Headers([("Cookie", "a=1; session=x; xsession=z"), ("Cookie", "session=y")])

    assert cookies_named(headers, "session") == ["x", "y"]


@pytest.mark.parametrize("given", ["", "short12", "x" * 129, "has blank in", "new\nline-here"])
def test_a_request_id_that_is_not_sane_is_replaced(given: str) -> None:
    made = request_id_of(Headers({"X-Request-Id": given.replace("\n", " ")}))

    assert made != given
    assert len(made) == 32


def test_a_sane_request_id_is_kept() -> None:
    for given in ("trace-0123.ab_C", "x" * 8, "x" * 128):
        assert request_id_of(Headers({"X-Request-Id": given})) == given


async def test_a_bearer_token_wins_over_a_cookie(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    doorkeeper = Doorkeeper(house.access, PublicAddress(url=LOCAL))
    headers = Headers({"Authorization": f"Bearer {ann.token}", "Cookie": f"session={bob.token}"})

    actor = await doorkeeper.admit(headers, method="POST", request_id="r")

    assert (actor.user_id, actor.request_id) == (ann.user_id, "r")


@pytest.mark.parametrize(
    "headers",
    [{"Origin": LOCAL}, {"Sec-Fetch-Site": "same-origin"}],
)
async def test_a_cookie_changes_state_only_from_our_own_pages(house: House, headers: dict[str, str]) -> None:
    ann = await house.person("ann")
    doorkeeper = Doorkeeper(house.access, PublicAddress(url=LOCAL))

    actor = await doorkeeper.admit(
        Headers({"Cookie": f"session={ann.token}", **headers}), method="POST", request_id="r"
    )

    assert actor.user_id == ann.user_id


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://localhost:8000"},
        {"Origin": "http://127.0.0.1:8001"},
        {"Origin": "https://127.0.0.1:8000"},
        {"Origin": "http://127.0.0.1:8000.evil.org"},
        {"Origin": "http://evil.org", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_a_cookie_sent_by_a_foreign_page_changes_nothing(house: House, headers: dict[str, str]) -> None:
    ann = await house.person("ann")
    doorkeeper = Doorkeeper(house.access, PublicAddress(url=LOCAL))

    with pytest.raises(Forbidden, match="only to pages of this server"):
        await doorkeeper.admit(Headers({"Cookie": f"session={ann.token}", **headers}), method="POST", request_id="r")


@pytest.mark.parametrize(
    ("credential", "origin", "admitted"),
    [
        ("cookie", LOCAL, True),
        ("cookie", None, False),
        ("cookie", "http://evil.org", False),
        ("bearer", None, True),
        ("bearer", LOCAL, True),
        ("bearer", "http://evil.org", False),
    ],
)
async def test_a_socket_opens_with_a_cookie_of_our_pages_or_a_bearer_of_no_page(
    house: House, credential: str, origin: str | None, admitted: bool
) -> None:
    ann = await house.person("ann")
    doorkeeper = Doorkeeper(house.access, PublicAddress(url=LOCAL))
    headers = Headers({"Cookie": f"session={ann.token}"} if credential == "cookie" else ann.bearer)
    if origin is not None:
        headers["Origin"] = origin

    if admitted:
        assert (await doorkeeper.admit_socket(headers, request_id="r")).user_id == ann.user_id
    else:
        with pytest.raises(Forbidden):
            await doorkeeper.admit_socket(headers, request_id="r")


async def test_session_cookies_of_two_people_make_nobody_either_of_them(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    doorkeeper = Doorkeeper(house.access, PublicAddress(url=LOCAL))

    with pytest.raises(Malformed):
        await doorkeeper.admit(
            Headers({"Cookie": f"session={bob.token}; session={ann.token}"}), method="GET", request_id="r"
        )


@pytest.mark.parametrize(
    "cookies", ["session=sps_planted; session={0}", "session={0}; session=sps_planted; session={0}"]
)
async def test_planted_cookies_lock_nobody_out(house: House, cookies: str) -> None:
    ann = await house.person("ann")
    doorkeeper = Doorkeeper(house.access, PublicAddress(url=LOCAL))

    actor = await doorkeeper.admit(Headers({"Cookie": cookies.format(ann.token)}), method="GET", request_id="r")

    assert actor.user_id == ann.user_id


async def test_no_cookie_counts_at_another_name_of_the_machine(house: House) -> None:
    ann = await house.person("ann")
    doorkeeper = Doorkeeper(house.access, PublicAddress(url="http://spunto.localhost:8000"))
    headers = Headers({"Cookie": f"session={ann.token}", "Host": "127.0.0.1:8000"})

    with pytest.raises(Unauthenticated):
        await doorkeeper.admit(headers, method="GET", request_id="r")
