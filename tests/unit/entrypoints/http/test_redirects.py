"""Where a browser may be sent on to."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.entrypoints.http.redirects import safe_next

ATTACKS = [
    "https://evil.example",
    "http:evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "/\x00/evil.example",
    "/\x7f/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    "/a\r\nSet-Cookie: session=x",
    "/" + "a" * 2048,
]


@pytest.mark.parametrize("path", ATTACKS)
def test_an_address_elsewhere_becomes_the_front_page(path: str) -> None:
    assert safe_next(path) == "/"


@pytest.mark.parametrize("path", [None, ""])
def test_nothing_becomes_the_front_page(path: str | None) -> None:
    assert safe_next(path) == "/"


@pytest.mark.parametrize("path", ["/", "/device?code=BCDF-GHJK", "/api/orgs?cursor=a%2Fb#x", "/a//b", "/?u=https://x"])
def test_a_path_of_ours_stays_as_it_is(path: str) -> None:
    assert safe_next(path) == path


@given(st.text(alphabet="/\\.:@?#\t\n\r aevil%0", max_size=12))
def test_what_comes_out_is_on_our_own_origin(path: str) -> None:
    # As browsers do (WHATWG URL): blanks at the ends and tabs and newlines anywhere are dropped, \ is /.
    seen = "".join(c for c in safe_next(path).strip() if c not in "\t\n\r").replace("\\", "/")

    assert urlsplit(urljoin("https://spunto.example/x", seen)).netloc == "spunto.example"
    assert seen.startswith("/")
    assert not seen.startswith("//")
