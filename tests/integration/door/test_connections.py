"""Connections end when they should, and not before: bodies that nobody read, floods, and sockets that say nothing."""

import time
from contextlib import suppress

import pytest
from tests.fixtures.live import Live
from tests.integration.door.raw import Wire, asked, wire

HOST = b"Host: 127.0.0.1\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
JSON = b"Content-Type: application/json\r\n"
STALL_SECONDS = 0.1


def head(method: str, path: str, *lines: bytes) -> bytes:
    return f"{method} {path} HTTP/1.1\r\n".encode() + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def require_told_or_whole(connection: Wire, body: bytes) -> int:
    """The answer either says that the connection ends, or the next request on it is answered. The answer's status."""
    answer = connection.answer()
    assert answer is not None
    if answer.headers.get("connection") == "close":
        connection.send(body)
        assert connection.ends()
        return answer.status
    connection.send(body + HEALTH)
    after = connection.answer()
    assert after is not None
    assert after.status == 200
    return answer.status


REFUSALS = {
    "401": ("POST", "/api/orgs", 401),
    "401 for bad tokens": ("PATCH", "/api/users/me", 401),
    "404": ("POST", "/nowhere", 404),
    "404 PUT": ("PUT", "/nowhere", 404),
    "405": ("DELETE", "/healthz", 405),
    "405 POST": ("POST", "/healthz", 405),
    "GET with a body": ("GET", "/healthz", 200),
    "DELETE": ("DELETE", "/api/orgs/org_1", 401),
    "OPTIONS": ("OPTIONS", "/api/orgs", 405),
}


@pytest.mark.parametrize(("method", "path", "status"), REFUSALS.values(), ids=REFUSALS.keys())
@pytest.mark.parametrize("size", [100, 300_000])
def test_an_answer_before_the_body_was_read_ends_the_connection_and_says_so(
    live: Live, method: str, path: str, status: int, size: int
) -> None:
    with wire(live.url) as connection:
        connection.send(head(method, path, f"Content-Length: {size}".encode(), JSON.strip()))

        assert require_told_or_whole(connection, b"x" * size) == status


@pytest.mark.parametrize(("media_type", "status"), [(b"application/json", 413), (b"text/plain", 413)])
def test_a_body_that_is_too_large_gets_its_answer_whatever_is_still_sent(
    live: Live, media_type: bytes, status: int
) -> None:
    authorization = f"Authorization: Bearer {live.token}".encode()
    with wire(live.url) as connection:
        connection.send(
            head("POST", "/api/orgs", b"Content-Length: 3000000", b"Content-Type: " + media_type, authorization)
        )
        connection.send(b"x" * 3_000_000)

        answer = connection.answer()

        assert answer is not None
        assert (answer.status, answer.headers["connection"]) == (status, "close")


def test_the_answer_to_head_tells_the_length_of_a_body_that_does_not_come(live: Live) -> None:
    with wire(live.url) as connection:
        connection.send(HEALTH)
        body = connection.answer()
        connection.send(HEALTH.replace(b"GET", b"HEAD") + HEALTH)
        told, after = connection.answer(to_head=True), connection.answer()

    assert body is not None
    assert told is not None
    assert after is not None
    assert told.headers["content-length"] == body.headers["content-length"] == str(len(body.body))
    assert after.body == body.body


def test_a_body_that_came_whole_keeps_the_connection(live: Live) -> None:
    with wire(live.url) as connection:
        for _ in range(3):
            connection.send(head("POST", "/nowhere", b"Content-Length: 5") + b"hello")

            answer = connection.answer()

            assert answer is not None
            assert (answer.status, answer.headers.get("connection")) == (404, None)


@pytest.mark.parametrize(
    "body",
    [b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n", b"0\r\n\n"],
    ids=["empty", "one", "with extensions and trailers", "with a bare end"],
)
def test_nothing_that_follows_a_chunked_body_is_taken_for_a_request(live: Live, body: bytes) -> None:
    with wire(live.url) as connection:
        connection.send(head("POST", "/nowhere", b"Transfer-Encoding: chunked") + body + HEALTH)

        answer = connection.answer()

        assert answer is not None
        assert answer.headers["connection"] == "close"
        assert connection.ends()


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n",
        b"-1\r\n",
        b"0x1\r\na\r\n",
        b"1" * 30 + b"\r\n",
        b"3\r\nabcd\r\n",
        b"3\nabc\n\r\n",
        b"1;" + b"a" * 20_000,
    ],
)
def test_chunks_that_are_none_end_the_connection(live: Live, body: bytes) -> None:
    authorization = f"Authorization: Bearer {live.token}".encode()
    with wire(live.url) as connection:
        connection.send(head("POST", "/api/orgs", b"Transfer-Encoding: chunked", JSON.strip(), authorization) + body)

        answer = connection.answer()

        assert answer is None or answer.status >= 400
        assert connection.ends()


def test_requests_that_were_sent_at_once_are_answered_in_order(live: Live) -> None:
    with wire(live.url) as connection:
        connection.send(HEALTH + head("GET", "/nowhere") + HEALTH)

        answers = [connection.answer() for _ in range(3)]

    assert [answer and answer.status for answer in answers] == [200, 404, 200]


def test_what_follows_the_last_answer_holds_nothing_up(live: Live) -> None:
    with wire(live.url) as connection:
        connection.send(head("POST", "/nowhere", b"Content-Length: 100000") + b"x" * 100 + HEALTH)
        assert connection.answer()
        connection.send(b"x" * 99_900)
        assert connection.ends()


def test_a_websocket_that_talks_before_it_was_let_in_leaves_nothing_behind(live: Live) -> None:
    handshake = head(
        "GET",
        "/api/agent/connect?token=spn_x",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
    )
    with wire(live.url) as connection:
        connection.send(handshake + b"\x81\x85\x00\x00\x00\x00hello")

        answer = connection.answer()

        assert answer is not None
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert connection.ends()


def test_a_rapid_reset_stalls_nobody(live: Live) -> None:
    """As it once stopped the server for a minute and a half: thousands of streams, each of them reset at once."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    reset = b"".join(
        b"\x00\x00\x05\x01\x05" + (2 * n + 1).to_bytes(4) + b"\x82\x84\x86\x41\x00"
        b"\x00\x00\x04\x03\x00" + (2 * n + 1).to_bytes(4) + b"\x00\x00\x00\x08"
        for n in range(5_000)
    )
    # As slow as the machine is just now.
    undisturbed_seconds = max(_seconds_to_answer(live) for _ in range(20))
    longest_seconds, ends_at = 0.0, time.monotonic() + 2
    while time.monotonic() < ends_at:
        with wire(live.url) as attacker:
            with suppress(OSError):
                attacker.send(preface + reset)
            longest_seconds = max(longest_seconds, _seconds_to_answer(live))

    assert longest_seconds < 5 * STALL_SECONDS + 20 * undisturbed_seconds


def _seconds_to_answer(live: Live) -> float:
    begun = time.monotonic()
    answer = asked(live.url, HEALTH)
    assert answer is not None
    assert answer.status == 200
    return time.monotonic() - begun
