"""The cookies and addresses by which a browser gets into a worker's host."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.secret import Secret
from spunto.core.routes.asking import nonce_hash
from spunto.entrypoints.edge.exchange import CookieNames, cookies_of, safe_next, sign_in_url

HTTP, HTTPS = CookieNames.of("http"), CookieNames.of("https")


def test_over_https_the_browser_itself_holds_the_cookie_to_one_host() -> None:
    assert (HTTPS.set_access("value", seconds=900), HTTP.set_access("value", seconds=900)) == (
        b"__Host-spw=value; Path=/; Max-Age=900; HttpOnly; SameSite=Lax; Secure",
        b"spw=value; Path=/; Max-Age=900; HttpOnly; SameSite=Lax",
    )


def test_every_cookie_of_the_name_is_looked_at() -> None:
    headers = [(b"cookie", b"spw=planted; a=b"), (b"accept", b"spw=no"), (b"cookie", b" spw=own ;xspw=no")]

    assert list(cookies_of(headers, "spw")) == ["planted", "own"]


def test_the_way_to_the_sign_in_tells_the_nonce_to_nobody() -> None:
    url = urlsplit(sign_in_url("http://spunto.localhost:8000", host="h", nonce="n" * 43, target="/a?b=c&d"))

    assert (url.netloc, url.path, parse_qs(url.query)) == (
        "spunto.localhost:8000",
        "/api/auth/worker",
        {"host": ["h"], "n": [nonce_hash(Secret("n" * 43))], "next": ["/a?b=c&d"]},
    )


@pytest.mark.parametrize(
    "target",
    ["", "x", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "/.spunto/cb?code=1", "/" * 3000],
)
def test_nobody_is_sent_elsewhere_afterwards(target: str) -> None:
    assert safe_next(target) == "/"


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"), min_size=1, max_size=50))
def test_a_path_of_the_host_is_kept(rest: str) -> None:
    target = "/a" + rest

    assert safe_next(target) == target
