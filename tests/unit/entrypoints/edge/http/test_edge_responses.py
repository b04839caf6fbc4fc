"""How an origin's answer is read, and how it is told."""

import pytest

from spunto.entrypoints.edge.http.responses import Outgoing, framing_of, read_response, write_response
from spunto.entrypoints.edge.seams import Body


def answer(head: bytes, method: bytes = b"GET") -> Outgoing:
    return read_response(b"HTTP/1.1 " + head + b"\r\n\r\n", method=method)


@pytest.mark.parametrize(
    ("head", "framing", "old_framing", "keeps_alive"),
    [
        (b"200 OK\r\nContent-Length: 5", Body.LENGTH, Body.LENGTH, True),
        (b"200 OK\r\nContent-Length: 0\r\nConnection: close", Body.LENGTH, Body.LENGTH, False),
        (b"200 OK\r\nTransfer-Encoding: chunked", Body.CHUNKED, None, True),
        (b"200 OK", Body.CHUNKED, None, False),
        (b"204 No Content", Body.NONE, Body.NONE, True),
        (b"304 Not Modified\r\nContent-Length: 5", Body.NONE, Body.NONE, True),
        (b"103 Early Hints", Body.NONE, Body.NONE, True),
    ],
)
def test_the_end_of_a_body_is_told_in_the_client_s_words(
    head: bytes, framing: Body, old_framing: Body | None, keeps_alive: bool
) -> None:
    read = answer(head)

    assert (framing_of(read, version=b"1.1"), framing_of(read, version=b"1.0")) == (framing, old_framing)
    assert read.keeps_alive == keeps_alive


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"timeout=5, max=100", 5.0),
        (b"max=100, Timeout=72", 72.0),
        (b"max=1", None),
        (b"x-timeout=3", None),
        (b"", None),
    ],
)
def test_an_origin_may_say_how_long_it_waits(value: bytes, seconds: float | None) -> None:
    assert answer(b"200 OK\r\nKeep-Alive: " + value).idle_seconds == seconds


def test_an_old_origin_keeps_a_connection_only_if_it_says_so() -> None:
    told = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n%b\r\n"

    assert not read_response(told % b"", method=b"GET").keeps_alive
    assert read_response(told % b"Connection: Keep-Alive\r\n", method=b"GET").keeps_alive


def test_an_answer_is_written_with_one_framing() -> None:
    read = answer(b"200 Fine\r\nContent-Length: 5\r\nX: y")

    assert write_response(read, [(b"x", b"y")], framing=Body.LENGTH, connection=b"close") == (
        b"HTTP/1.1 200 Fine\r\nx: y\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"
    )
