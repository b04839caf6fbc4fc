"""Credentials, cookies, origins and request ids."""

import pytest
from tests.unit.entrypoints.http.house import LOCAL, House
from werkzeug.datastructures import Headers

from spunto.core.kernel.errors import Forbidden, Malformed, Unauthenticated
from spunto.entrypoints.security import Doorkeeper, PublicAddress, bearer_of, cookies_named, request_id_of

HTTPS = PublicAddress(url="https://spunto.example.org")


@pytest.mark.parametrize(
    ("url", "origins"),
    [
        ("https://spunto.example.org", {"https://spunto.example.org"}),
        ("http://127.0.0.1:8000", {"http://127.0.0.1:8000", "http://localhost:8000"}),
        ("http://10.0.0.5", {"http://10.0.0.5"}),
    ],
)
def test_only_the_public_address_is_our_origin_and_a_loopback_one_under_both_its_names(
    url: str, origins: set[str]
) -> None:
    assert PublicAddress(url=url).origins == origins


def test_the_cookie_is_bound_to_the_host_wherever_there_is_https() -> None:
    assert HTTPS.cookie_name == "__Host-session"
    assert PublicAddress(url=LOCAL).cookie_name == "session"


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


@pytest.mark.parametrize("given", ["", "short", "x" * 129, "has blank in", "new\nline-here"])
def test_a_request_id_that_is_not_sane_is_replaced(given: str) -> None:
    made = request_id_of(Headers({"X-Request-Id": given.replace("\n", " ")}))

    assert made != given
    assert len(made) == 32


def test_a_sane_request_id_is_kept() -> None:
    assert request_id_of(Headers({"X-Request-Id": "trace-0123.ab_C"})) == "trace-0123.ab_C"


async def test_a_bearer_token_wins_over_a_cookie(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    doorkeeper = Doorkeeper(house.access, PublicAddress(url=LOCAL))
    headers = Headers({"Authorization": f"Bearer {ann.token}", "Cookie": f"session={bob.token}"})

    actor = await doorkeeper.admit(headers, method="POST", request_id="r")

    assert (actor.user_id, actor.request_id) == (ann.user_id, "r")


@pytest.mark.parametrize(
    "headers",
    [{"Origin": LOCAL}, {"Origin": "http://localhost:8000"}, {"Sec-Fetch-Site": "same-origin"}],
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


async def test_two_session_cookies_are_malformed(house: House) -> None:
    ann = await house.person("ann")
    doorkeeper = Doorkeeper(house.access, PublicAddress(url=LOCAL))

    with pytest.raises(Malformed):
        await doorkeeper.admit(
            Headers({"Cookie": f"session={ann.token}; session={ann.token}"}), method="GET", request_id="r"
        )
