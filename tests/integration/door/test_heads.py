"""Whatever a proxy could read otherwise than the server does is refused, with a problem, and ends the connection."""

import pytest
from tests.fixtures.live import Live
from tests.integration.door.raw import Answer, asked, wire

HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
POST = b"POST /api/auth/device HTTP/1.1\r\n" + HOST
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
SOCKET = b"GET /api/agent/connect HTTP/1.1\r\n" + HOST
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
V13 = b"Sec-WebSocket-Version: 13\r\n"
END = b"\r\n"


def get(target: bytes) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + END


REFUSED: dict[str, tuple[bytes, int, str]] = {
    "preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported"),
    "h2c": (
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n" + END,
        400,
        "upgrade_not_known",
    ),
    "h2c without Connection": (GET + b"Upgrade: h2c\r\n" + END, 400, "upgrade_not_known"),
    "h2c beside websocket": (
        GET + b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n" + END,
        400,
        "upgrade_not_known",
    ),
    "upgrade to TLS": (GET + b"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n" + END, 400, "upgrade_not_known"),
    "two upgrades": (GET + b"Upgrade: websocket\r\nUpgrade: h2c\r\n" + END, 400, "bad_request"),
    "version 2.0": (b"GET /healthz HTTP/2.0\r\n" + HOST + END, 505, "version_not_supported"),
    "version 1.2": (b"GET /healthz HTTP/1.2\r\n" + HOST + END, 505, "version_not_supported"),
    "version 0.9": (b"GET /healthz\r\n\r\n", 400, "bad_request"),
    "lower-case version": (b"GET /healthz http/1.1\r\n" + HOST + END, 400, "bad_request"),
    "two blanks in the request line": (b"GET  /healthz HTTP/1.1\r\n" + HOST + END, 400, "bad_request"),
    "a tab in the request line": (b"GET\t/healthz HTTP/1.1\r\n" + HOST + END, 400, "bad_request"),
    "a blank in the path": (b"GET /health z HTTP/1.1\r\n" + HOST + END, 400, "bad_request"),
    "NUL in the path": (b"GET /health\x00z HTTP/1.1\r\n" + HOST + END, 400, "bad_request"),
    "an empty line first": (b"\r\n" + GET + END, 400, "bad_request"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad_request"),
    "bare LF in the request line": (b"GET /healthz HTTP/1.1\n" + HOST + END, 400, "bad_request"),
    "bare LF between headers": (GET + b"A: b\nC: d\r\n" + END, 400, "bad_request"),
    "bare LF at the end": (GET + b"\n", 400, "bad_request"),
    "all bare LF": (b"GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n", 400, "bad_request"),
    "bare CR in a header": (GET + b"A: b\rC: d\r\n" + END, 400, "bad_request"),
    "bare CR at the end": (GET + b"A: b\r\r\n" + END, 400, "bad_request"),
    "a folded header": (GET + b"A: b\r\n c\r\n" + END, 400, "bad_request"),
    "a header folded by a tab": (GET + b"A: b\r\n\tc\r\n" + END, 400, "bad_request"),
    "a folded Transfer-Encoding": (POST + b"Transfer-Encoding:\r\n chunked\r\n" + END, 400, "bad_request"),
    "a blank before the colon": (POST + b"Content-Length : 3\r\n" + END + b"abc", 400, "bad_request"),
    "a blank before the first header": (b"GET /healthz HTTP/1.1\r\n " + HOST + END, 400, "bad_request"),
    "a header without a colon": (GET + b"Nothing\r\n" + END, 400, "bad_request"),
    "a header without a name": (GET + b": a\r\n" + END, 400, "bad_request"),
    "NUL in a header": (GET + b"A: b\x00c\r\n" + END, 400, "bad_request"),
    "length and chunks": (
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n" + END + b"0\r\n\r\n",
        400,
        "bad_request",
    ),
    "chunks and length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n" + END + b"0\r\n\r\n",
        400,
        "bad_request",
    ),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n" + END + b"abcd", 400, "bad_request"),
    "two equal lengths": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n" + END + b"abc", 400, "bad_request"),
    "a list of lengths": (POST + b"Content-Length: 3, 4\r\n" + END + b"abcd", 400, "bad_request"),
    "a length with a sign": (POST + b"Content-Length: +3\r\n" + END + b"abc", 400, "bad_request"),
    "a negative length": (POST + b"Content-Length: -1\r\n" + END, 400, "bad_request"),
    "a hexadecimal length": (POST + b"Content-Length: 0x3\r\n" + END + b"abc", 400, "bad_request"),
    "a length of nothing": (POST + b"Content-Length: \r\n" + END, 400, "bad_request"),
    "a length beyond counting": (POST + b"Content-Length: " + b"9" * 30 + b"\r\n" + END, 400, "bad_request"),
    "gzip": (POST + b"Transfer-Encoding: gzip, chunked\r\n" + END, 501, "coding_not_known"),
    "identity": (POST + b"Transfer-Encoding: identity\r\n" + END, 501, "coding_not_known"),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n" + END, 501, "coding_not_known"),
    "two codings": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n" + END, 400, "bad_request"),
    "quoted coding": (POST + b'Transfer-Encoding: "chunked"\r\n' + END, 501, "coding_not_known"),
    "coding after a form feed": (POST + b"Transfer-Encoding: \x0bchunked\r\n" + END, 400, "bad_request"),
    "chunks in HTTP/1.0": (
        b"POST /api/auth/device HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + END + b"0\r\n\r\n",
        400,
        "bad_request",
    ),
    "two hosts": (GET + HOST + END, 400, "bad_request"),
    "two different hosts": (GET + b"Host: evil.example\r\n" + END, 400, "bad_request"),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "a host with a path": (b"GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_request"),
    "a host with a user": (b"GET /healthz HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "bad_request"),
    "two names in a host": (b"GET /healthz HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "bad_request"),
    "a whole URL": (get(b"http://127.0.0.1/healthz"), 400, "bad_request"),
    "a URL of another host": (get(b"http://evil.example/healthz"), 400, "bad_request"),
    "a host and port": (b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n" + HOST + END, 400, "bad_request"),
    "a star": (b"OPTIONS * HTTP/1.1\r\n" + HOST + END, 400, "bad_request"),
    "no path": (get(b"?a=b"), 400, "bad_request"),
    "two slashes": (get(b"//metrics"), 400, "bad_request"),
    "three slashes": (get(b"///healthz"), 400, "bad_request"),
    "an escaped slash": (get(b"/%2fhealthz"), 400, "bad_request"),
    "an escaped backslash": (get(b"/%5Chealthz"), 400, "bad_request"),
    "a backslash": (get(b"/\\healthz"), 400, "bad_request"),
    "an escaped letter": (get(b"/%68ealthz"), 400, "bad_request"),
    "an escaped dot": (get(b"/api/%2e%2e/healthz"), 400, "bad_request"),
    "a dot": (get(b"/./healthz"), 400, "bad_request"),
    "two dots": (get(b"/api/../healthz"), 400, "bad_request"),
    "two dots at the end": (get(b"/api/.."), 400, "bad_request"),
    "two slashes inside": (get(b"/api//orgs"), 400, "bad_request"),
    "an escape that is none": (get(b"/healthz%zz"), 400, "bad_request"),
    "a cut escape": (get(b"/healthz%4"), 400, "bad_request"),
    "a fragment": (get(b"/healthz#a"), 400, "bad_request"),
    "headers of 60 KB": (GET + b"A: " + b"a" * 60_000 + b"\r\n" + END, 431, "head_too_large"),
    "many headers of 60 KB": (GET + b"A: aaaaaaaaaa\r\n" * 4_000 + END, 431, "head_too_large"),
    "a head of 17 KB without an end": (GET + b"A: " + b"a" * 17_000, 431, "head_too_large"),
    "a request line of 9 KB": (get(b"/healthz?a=" + b"a" * 9_000), 414, "address_too_long"),
    "a request line without an end": (b"GET /" + b"a" * 9_000, 414, "address_too_long"),
    "WebSocket without a version": (SOCKET + UPGRADE + KEY + END, 426, "websocket_version"),
    "WebSocket in version 8": (
        SOCKET + UPGRADE + KEY + b"Sec-WebSocket-Version: 8\r\n" + END,
        426,
        "websocket_version",
    ),
    "WebSocket in two versions": (SOCKET + UPGRADE + KEY + V13 + V13 + END, 426, "websocket_version"),
    "WebSocket without a key": (SOCKET + UPGRADE + V13 + END, 400, "bad_request"),
    "WebSocket with a short key": (SOCKET + UPGRADE + V13 + b"Sec-WebSocket-Key: YQ==\r\n" + END, 400, "bad_request"),
    "WebSocket with two keys": (SOCKET + UPGRADE + V13 + KEY + KEY + END, 400, "bad_request"),
    "WebSocket with a body": (
        SOCKET + UPGRADE + V13 + KEY + b"Content-Length: 3\r\n" + END + b"abc",
        400,
        "bad_request",
    ),
    "WebSocket without Connection": (SOCKET + b"Upgrade: websocket\r\n" + V13 + KEY + END, 400, "bad_request"),
    "WebSocket by POST": (POST + UPGRADE + V13 + KEY + END, 400, "bad_request"),
    "WebSocket in HTTP/1.0": (
        b"GET /api/agent/connect HTTP/1.0\r\n" + HOST + UPGRADE + V13 + KEY + END,
        400,
        "bad_request",
    ),
}


@pytest.mark.parametrize(("raw", "status", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_what_can_be_read_in_two_ways_is_refused_and_the_connection_ends(
    live: Live, raw: bytes, status: int, code: str
) -> None:
    with wire(live.url) as connection:
        connection.send(raw)
        answer = connection.answer()

        assert answer is not None
        assert (answer.status, answer.problem["code"]) == (status, code)
        assert answer.headers["connection"] == "close"
        assert connection.ends()


LOWER: dict[str, bytes] = {
    "get": b"get /healthz HTTP/1.1\r\n" + HOST + END,
    "Delete": b"Delete /api/orgs HTTP/1.1\r\n" + HOST + END,
}


@pytest.mark.parametrize("raw", LOWER.values(), ids=LOWER.keys())
def test_a_method_that_is_not_in_capitals_is_another_one(live: Live, raw: bytes) -> None:
    answer = asked(live.url, raw)

    assert answer is not None
    assert (answer.status, answer.problem["code"]) == (400, "bad_request")


TAKEN: dict[str, tuple[bytes, int]] = {
    "GET": (GET + END, 200),
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    "a query": (get(b"/healthz?"), 200),
    "a query with slashes and escapes": (get(b"/nowhere?a=//%2f%61/../"), 404),
    "a path with a needed escape": (get(b"/nowhere/%20%C3%A9"), 404),
    "a path that ends with a slash": (get(b"/api/orgs/"), 404),
    "an IPv6 host": (b"GET /healthz HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", 200),
    "an empty header": (GET + b"A:\r\n" + END, 200),
    "a header without a blank": (GET + b"A:b\r\n" + END, 200),
    "a head of 15 KB": (GET + b"A: " + b"a" * 15_000 + b"\r\n" + END, 200),
    "keep-alive": (GET + b"Connection: keep-alive\r\n" + END, 200),
    "TRACE": (b"TRACE /healthz HTTP/1.1\r\n" + HOST + END, 405),
    "OPTIONS": (b"OPTIONS /healthz HTTP/1.1\r\n" + HOST + END, 405),
    "an invented method": (b"FETCH /healthz HTTP/1.1\r\n" + HOST + END, 405),
    "101 headers": (GET + b"A: b\r\n" * 101 + END, 431),
    "WebSocket where there is none": (
        b"GET /healthz HTTP/1.1\r\n" + HOST + UPGRADE + V13 + KEY + END,
        400,
    ),
}


@pytest.mark.parametrize(("raw", "status"), TAKEN.values(), ids=TAKEN.keys())
def test_what_has_one_meaning_is_answered(live: Live, raw: bytes, status: int) -> None:
    answer = asked(live.url, raw)

    assert answer is not None
    assert answer.status == status
    if status >= 400:
        assert answer.problem["code"]


def test_a_head_that_comes_byte_by_byte_is_one_head(live: Live) -> None:
    with wire(live.url) as connection:
        for byte in GET + END:
            connection.send(bytes([byte]))

        answer = connection.answer()

    assert answer is not None
    assert answer.status == 200


def test_nothing_that_follows_a_refused_head_is_taken_for_a_request(live: Live) -> None:
    with wire(live.url) as connection:
        connection.send(POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n" + END + b"0\r\n\r\n" + GET + END)

        answer = connection.answer()

        assert answer is not None
        assert answer.status == 400
        assert connection.ends()


def answered(live: Live, raw: bytes) -> Answer:
    answer = asked(live.url, raw)
    assert answer is not None
    return answer


BROWSER = b"Accept: text/html,*/*;q=0.8\r\nSec-Fetch-Mode: navigate\r\n"
SHOWN = {
    "too many cookies": (GET + BROWSER + b"Cookie: a=" + b"x" * 20_000 + b"\r\n" + END, 431),
    "too many cookies, not all of them come": (GET + BROWSER + b"Cookie: a=" + b"x" * 20_000, 431),
    "a path of two slashes": (b"GET //healthz HTTP/1.1\r\n" + HOST + BROWSER + END, 400),
    "a header twice": (GET + BROWSER + HOST + END, 400),
}


@pytest.mark.parametrize(("raw", "status"), SHOWN.values(), ids=SHOWN.keys())
def test_a_person_s_browser_is_refused_by_a_page(live: Live, raw: bytes, status: int) -> None:
    page, program, script = (
        answered(live, each)
        for each in (raw, raw.replace(BROWSER, b"Accept: */*\r\n"), raw.replace(b"navigate", b"cors"))
    )

    assert (page.status, program.status, script.status) == (status,) * 3
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert b"<h1>That did not work</h1>" in page.body
    assert {each.headers["content-type"] for each in (program, script)} == {"application/problem+json"}
