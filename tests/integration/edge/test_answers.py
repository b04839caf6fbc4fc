"""Answers of every kind of origin reach the client as they were meant, and malformed ones do not."""

import asyncio

import pytest
from tests.integration.edge.doors import Cut, Got, door_to
from tests.integration.edge.origins import Reader, Writer, reset, saying, scripted_origin

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (206, {"content-range": "bytes 0-1/9"}),
        (302, {"location": "//x/%2F"}),
        (416, {"content-range": "bytes */9"}),
        (451, {}),
        (500, {"x-empty": ""}),
        (599, {"x-odd": "\xe9 ;,"}),
    ],
)
async def test_any_status_passes(status: int, headers: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    answer = f"HTTP/1.1 {status} Any Reason\r\n{lines}Content-Length: 2\r\n\r\nab".encode("latin1")

    async with saying(answer) as origin, door_to(origin.target) as door:
        got = await door.ask(GET)

    assert got == Got(status=status, headers={**headers, "content-length": "2"}, body=b"ab")


@pytest.mark.parametrize(
    ("method", "answer", "length"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "5"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "5"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", None),
    ],
)
async def test_an_answer_without_a_body_leaves_both_connections_usable(
    method: str, answer: bytes, length: str | None
) -> None:
    request = GET.replace(b"GET", method.encode())

    async with saying(answer, answer) as origin, door_to(origin.target) as door, door.connected() as wire:
        got = [await wire.ask(request) for _ in range(2)]

    assert [(each.body, each.headers.get("content-length")) for each in got] == [(b"", length)] * 2
    assert origin.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    answer = b"HTTP/1.0 200 OK\r\n\r\nall of it"

    async with saying(answer) as origin, door_to(origin.target) as door, door.connected() as wire:
        got = [await wire.ask(GET) for _ in range(2)]

    assert [(each.body, each.headers) for each in got] == [(b"all of it", {"transfer-encoding": "chunked"})] * 2
    assert origin.connections == 2


async def test_a_client_of_http_1_0_gets_chunks_as_one_body() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: u\r\n\r\n"

    async with saying(answer) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(OLD)
        assert await wire.rest() == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde"


async def test_chunks_and_trailers_pass() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"3\r\nabc\r\n2;x=1\r\nde\r\n0\r\nX-Sum: 9\r\nSet-Cookie: a=b\r\n\r\n"
    )

    async with saying(answer, answer) as origin, door_to(origin.target) as door, door.connected() as wire:
        got = [await wire.ask(GET) for _ in range(2)]

    assert [(each.body, each.trailers) for each in got] == [(b"abcde", {"x-sum": "9"})] * 2
    assert origin.connections == 1


async def test_events_are_passed_on_as_they_come() -> None:
    tell: asyncio.Queue[bytes] = asyncio.Queue()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while event := await tell.get():
            writer.write(event)
            await writer.drain()

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(GET)
        assert (await wire.read()).startswith(b"HTTP/1.1 200")
        for number in range(3):
            event = b"data: %d\n\n" % number
            tell.put_nowait(event)
            assert await wire.read() == b"9\r\n%b\r\n" % event
        tell.put_nowait(b"")
        assert await wire.read() == b"0\r\n\r\n"


async def test_what_comes_before_the_answer_passes() -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        assert b"\r\nexpect: 100-continue\r\n" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(5)
        writer.write(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body
        )

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert await wire.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await wire.send(b"hello")
        got = await wire.answer("POST")

    assert (got.interim, got.body) == ((103,), b"hello")


async def test_nobody_is_told_to_continue_who_did_not_ask() -> None:
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    async with saying(answer) as origin, door_to(origin.target) as door:
        got = await door.ask(GET)
        async with door.connected() as wire:
            await wire.send(OLD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
            old = await wire.rest()

    assert got.interim == ()
    assert old == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"nonsense\r\n\r\n",
        # Of others, which greet and wait.
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n",
        b"HTTP/1.1 200 O\x01K\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    ],
)
async def test_an_answer_that_is_none_is_a_bad_gateway(answer: bytes) -> None:
    async with saying(answer) as origin, door_to(origin.target) as door, door.connected() as wire:
        got = await wire.ask(GET)
        assert (got.status, got.body) in ((502, b"bad_answer"), (502, b"connection_broke"))
        # The client did nothing wrong, so its connection goes on.
        assert (await wire.ask(GET)).status == 502


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    ],
)
@pytest.mark.parametrize("request_", [GET, OLD])
async def test_a_body_that_breaks_off_never_ends_well(answer: bytes, request_: bytes) -> None:
    async with saying(answer) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(request_)
        with pytest.raises((Cut, ConnectionResetError)):
            await (wire.answer() if request_ == GET else wire.rest())


async def test_a_head_alone_goes_at_once_and_what_follows_badly_cuts_it() -> None:
    has_come = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await has_come.wait()
        writer.write(b"xyz\r\n")

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(GET)
        assert (await wire.read()).startswith(b"HTTP/1.1 200")
        has_come.set()
        with pytest.raises((Cut, ConnectionResetError)):
            await wire.rest()


async def test_the_first_size_may_come_in_parts() -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0")
        await writer.drain()
        writer.write(b"3\r\nabc\r\n0\r\n\r\n")

    async with scripted_origin(handle) as origin, door_to(origin.target) as door:
        assert (await door.ask(GET)).body == b"abc"


async def test_an_answer_that_only_the_end_can_tell_and_is_reset_is_cut_off() -> None:
    told = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await writer.drain()
        await told.wait()
        reset(writer)

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(GET)
        assert (await wire.read()).startswith(b"HTTP/1.1 200")
        told.set()
        with pytest.raises(ConnectionResetError):
            await wire.rest()


async def test_nobody_who_listens_is_a_refusal() -> None:
    async with saying() as origin:
        target = origin.target
    async with door_to(target) as door:
        got = await door.ask(GET)

    assert (got.status, got.body) == (502, b"connection_refused")


async def test_what_came_behind_an_answer_is_no_answer() -> None:
    honest = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
    first = honest + b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nplanted"

    async with saying(first, honest) as origin, door_to(origin.target) as door, door.connected() as wire:
        assert [(await wire.ask(GET)).body for _ in range(2)] == [b"1", b"1"]

    assert origin.connections == 2
