"""Requests and answers come through whole, one by one, in order."""

import os

from tests.integration.edge.doors import Door
from tests.integration.edge.origins import Origin

MANY_BYTES = 8 * 1024 * 1024


async def test_a_request_arrives_with_what_the_edge_knows_of_the_client(door: Door, origin: Origin) -> None:
    got = await door.ask(
        b"GET //a%2Fb/../c?d=%00&e HTTP/1.1\r\nHost: Any.example:80\r\nX-Forwarded-For: 9.9.9.9\r\n"
        b"X_Real_IP: 9.9.9.9\r\nConnection: X-Mine, keep-alive\r\nX-Mine: 1\r\nAccept: */*\r\n\r\n"
    )

    assert got.status == 200
    (seen,) = origin.requests
    assert (seen.method, seen.target, seen.body) == ("GET", "//a%2Fb/../c?d=%00&e", b"")
    assert seen.headers == {
        "host": "Any.example:80",
        "accept": "*/*",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "any.example:80",
        "x-forwarded-proto": "http",
        "x-real-ip": "127.0.0.1",
    }


async def test_connections_are_kept_at_both_ends(door: Door, origin: Origin) -> None:
    async with door.connected() as wire:
        for number in range(3):
            got = await wire.ask(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            assert got.headers["x-saw"] == f"/{number}"

    assert origin.connections == 1


async def test_answers_to_pipelined_requests_keep_their_order(door: Door, origin: Origin) -> None:
    requests = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(20)]
    requests[7] = b"POST /7 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    requests[8] = b"POST /8 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n"

    async with door.connected() as wire:
        await wire.send(b"".join(requests))
        got = [await wire.answer() for _ in requests]

    assert [each.headers["x-saw"] for each in got] == [f"/{number}" for number in range(20)]
    assert [seen.body for seen in origin.requests[7:9]] == [b"hello", b"hello"]
    assert origin.broken == []


async def test_a_body_of_any_size_arrives_as_it_was_sent(door: Door, origin: Origin) -> None:
    body = os.urandom(MANY_BYTES)

    async with door.connected() as wire:
        got = await wire.ask(b"POST /sized HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        assert got.body == origin.requests[0].digest
        await wire.send(b"PUT /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 100_000):
            piece = body[at : at + 100_000]
            await wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await wire.send(b"0\r\nX-Sum: 1\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n")
        got = await wire.answer()
        assert got.body == origin.requests[1].digest

    assert [seen.body == body for seen in origin.requests] == [True, True]
    assert origin.requests[1].trailers == {"x-sum": "1"}


async def test_a_body_that_comes_byte_by_byte_arrives(door: Door, origin: Origin) -> None:
    raw = b"POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n"

    async with door.connected() as wire:
        for byte in raw:
            await wire.send(bytes([byte]))
        await wire.answer()

    assert (origin.requests[0].body, origin.requests[0].trailers) == (b"abc", {"t": "u"})


async def test_a_client_of_http_1_0_is_answered(door: Door, origin: Origin) -> None:
    async with door.connected() as wire:
        got = await wire.ask(b"GET /old HTTP/1.0\r\n\r\n")
        assert (got.status, got.headers["connection"]) == (200, "close")
        assert await wire.rest() == b""
    async with door.connected() as wire:
        for _ in range(2):
            got = await wire.ask(b"GET /kept HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert got.headers["connection"] == "keep-alive"
