"""Which requests a browser sends with a worker's cookie are what its visitor meant."""

import pytest

from spunto.entrypoints.edge.crossings import is_navigation, is_preflight, may_cross

OWN = "http://worker-1-a-3000.w.localhost:8000"
SIBLING = "http://worker-1-a-4000.w.localhost:8000"
FOREIGN = "http://worker-2-b-3000.w.localhost:8000"
APP = "http://spunto.localhost:8000"


def headers(**named: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()]


@pytest.mark.parametrize(
    ("method", "said", "is_one"),
    [
        (b"GET", headers(sec_fetch_dest="document", sec_fetch_mode="navigate"), True),
        (b"GET", headers(sec_fetch_dest="iframe", sec_fetch_mode="navigate"), False),
        (b"GET", headers(sec_fetch_dest="empty", sec_fetch_mode="cors", accept="text/html"), False),
        (b"GET", headers(sec_fetch_dest="image", sec_fetch_mode="no-cors"), False),
        (b"POST", headers(sec_fetch_dest="document", sec_fetch_mode="navigate"), False),
        # Over plain http on a LAN browsers say nothing.
        (b"GET", headers(accept="text/html,*/*"), True),
        (b"GET", headers(accept="text/html", x_requested_with="XMLHttpRequest"), False),
        (b"GET", headers(accept="text/html", origin=FOREIGN), False),
        (b"GET", headers(accept="image/avif,*/*"), False),
        (b"GET", headers(), False),
    ],
)
def test_only_a_person_who_goes_there_navigates(method: bytes, said: list[tuple[bytes, bytes]], is_one: bool) -> None:
    assert is_navigation(method, said) is is_one


@pytest.mark.parametrize(
    ("method", "said", "may"),
    [
        (b"GET", headers(), True),
        (b"GET", headers(sec_fetch_site="same-origin"), True),
        (b"GET", headers(sec_fetch_site="none", sec_fetch_mode="navigate", sec_fetch_dest="document"), True),
        # A link from anywhere leads there, as on every site.
        (b"GET", headers(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document"), True),
        (b"GET", headers(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="iframe"), False),
        (b"GET", headers(sec_fetch_site="same-site", origin=SIBLING), True),
        (b"GET", headers(sec_fetch_site="same-site", origin=FOREIGN), False),
        (b"GET", headers(sec_fetch_site="same-site", referer=f"{SIBLING}/page"), True),
        (b"GET", headers(sec_fetch_site="same-site", referer=f"{FOREIGN}/page"), False),
        (b"GET", headers(sec_fetch_site="same-site"), False),
        (b"GET", headers(sec_fetch_site="cross-site", referer="http://[bad"), False),
        # Over plain http on a LAN browsers send no more than these two.
        (b"GET", headers(origin=FOREIGN), False),
        (b"GET", headers(origin="null"), False),
        (b"GET", headers(origin=FOREIGN, accept="text/html"), False),
        (b"GET", headers(origin=SIBLING), True),
        (b"GET", headers(referer=f"{FOREIGN}/page"), False),
        (b"GET", headers(referer=f"{SIBLING}/page"), True),
        (b"GET", headers(referer=f"{FOREIGN}/page", accept="text/html,*/*"), True),
        (b"POST", headers(origin=OWN), True),
        (b"POST", headers(origin=SIBLING), True),
        (b"POST", headers(origin=APP), True),
        (b"POST", headers(origin=FOREIGN), False),
        (b"POST", headers(origin="null"), False),
        (b"POST", headers(sec_fetch_site="same-origin"), True),
        (b"POST", headers(sec_fetch_site="same-site"), False),
        (b"POST", headers(), False),
        (b"DELETE", headers(origin=FOREIGN, sec_fetch_site="same-origin"), False),
    ],
)
def test_a_foreign_page_gets_nothing_with_the_cookie(method: bytes, said: list[tuple[bytes, bytes]], may: bool) -> None:
    own = {OWN, SIBLING}

    found = may_cross(method, said, is_upgrade=False, is_own=own.__contains__, app_origin=APP)

    assert found is may


@pytest.mark.parametrize(
    ("said", "may"),
    [
        (headers(origin=OWN), True),
        (headers(origin=SIBLING), True),
        (headers(origin=FOREIGN), False),
        (headers(), False),
        (headers(sec_fetch_site="none"), False),
        (headers(sec_fetch_site="same-origin"), True),
    ],
)
def test_a_socket_is_opened_by_an_own_page_alone(said: list[tuple[bytes, bytes]], may: bool) -> None:
    own = {OWN, SIBLING}

    assert may_cross(b"GET", said, is_upgrade=True, is_own=own.__contains__, app_origin=APP) is may


def test_a_preflight_names_the_method_that_is_to_follow() -> None:
    asked = headers(access_control_request_method="PUT")

    assert (is_preflight(b"OPTIONS", asked), is_preflight(b"OPTIONS", ()), is_preflight(b"GET", asked)) == (
        True,
        False,
        False,
    )
