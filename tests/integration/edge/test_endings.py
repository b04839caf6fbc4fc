"""Whoever leaves, breaks off or answers early harms nobody else, and is told apart from an end."""

import asyncio

import pytest
from tests.integration.edge.doors import QUICK, SOON_SECONDS, Door, door_to
from tests.integration.edge.origins import Origin, Reader, Writer, reset, scripted_origin

from spunto.core.kernel.errors import Unavailable
from spunto.entrypoints.edge.seams import Answer, Handover, Target, Upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LARGE = 32 * 1024 * 1024


async def test_an_answer_before_the_end_of_the_body_arrives_while_the_client_goes_on_sending() -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await writer.drain()
        await reader.read(1)

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGE)
        sending = asyncio.create_task(wire.send(bytes(LARGE)))
        got = await wire.answer("POST")
        await sending

        assert (got.status, got.body, got.headers["connection"]) == (413, b"big", "close")
        wire.end()
        assert await wire.rest() == b""


async def test_a_body_may_go_on_after_the_answer_began() -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        writer.write(await reader.readexactly(3))
        await writer.drain()
        writer.write(await reader.readexactly(3))

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
        await wire.send(b"abc")
        assert (await wire.read()).startswith(b"HTTP/1.1 200")
        await wire.send(b"def")
        assert (await wire.rest()).endswith(b"def")


async def test_a_client_that_leaves_ends_its_request() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        await reader.read()
        ended.set()

    async with scripted_origin(handle) as origin, door_to(origin.target, times=QUICK) as door:
        for leave in (lambda writer: writer.close(), reset):
            begun.clear()
            ended.clear()
            async with door.connected() as wire:
                await wire.send(GET)
                await begun.wait()
                leave(wire.writer)
                async with asyncio.timeout(SOON_SECONDS):
                    await ended.wait()


async def test_a_client_that_says_no_more_is_answered_all_the_same(door: Door, origin: Origin) -> None:
    async with door.connected() as wire:
        await wire.send(GET * 3)
        wire.end()
        got = [await wire.answer() for _ in range(3)]
        assert await wire.rest() == b""

    assert [each.status for each in got] == [200, 200, 200]


@pytest.mark.parametrize("sent", [b"Content-Length: 9\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])
async def test_a_body_that_breaks_off_is_no_whole_request(sent: bytes, door: Door, origin: Origin) -> None:
    async with door.connected() as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + sent)
        wire.end()
        got = await wire.answer("POST")

    assert (got.status, got.headers["connection"]) == (400, "close")
    assert origin.requests == []


async def test_a_chunk_that_is_none_is_a_bad_request(door: Door, origin: Origin) -> None:
    async with door.connected() as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await wire.send(b"x\r\nGET /planted HTTP/1.1\r\nHost: a\r\n\r\n")
        got = await wire.answer("POST")
        wire.end()
        assert await wire.rest() == b""

    assert (got.status, got.headers["content-type"]) == (400, "application/problem+json")
    assert origin.requests == []


@pytest.mark.parametrize(("head", "status"), [(b"GET", 200), (b"DELETE", 200), (b"POST", 502), (b"PATCH", 502)])
async def test_a_kept_connection_that_ends_in_the_face_of_a_request(head: bytes, status: int) -> None:
    """Asked again is only what may be asked twice: the origin may have done it before it left."""
    heads: list[bytes] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        heads.append(await reader.readuntil(b"\r\n\r\n"))

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        assert (await wire.ask(GET)).status == 200
        assert (await wire.ask(GET.replace(b"GET", head))).status == status

    assert [each.split()[0] for each in heads] == [b"GET", head, head][: 3 if status == 200 else 2]


async def test_a_body_is_never_sent_twice() -> None:
    bodies: list[bytes] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        bodies.append(await reader.readexactly(3))

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.ask(GET)
        got = await wire.ask(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")

    assert (got.status, got.body, bodies) == (502, b"connection_broke", [b"abc"])


class Unwilling:
    """An upstream that takes a head, no body, and answers all the same."""

    def __init__(self, asked: asyncio.Semaphore) -> None:
        self._asked = asked
        self._has_head = False
        self._refused = asyncio.Event()

    def is_quiet(self) -> bool:
        return True

    async def read(self) -> bytes | None:
        await self._refused.wait()
        return OK

    async def write(self, data: bytes) -> None:
        if self._has_head:
            self._refused.set()
            raise Unavailable("too_slow", "It takes no more.")
        self._has_head = True
        self._asked.release()

    async def write_eof(self) -> None: ...

    def reset(self, code: str, message: str = "") -> None: ...

    async def aclose(self) -> None: ...


async def test_a_connection_on_which_a_body_got_stuck_is_not_used_again() -> None:
    made: list[Unwilling] = []
    asked = asyncio.Semaphore(0)

    async def connect() -> Unwilling:
        made.append(Unwilling(asked))
        return made[-1]

    async with door_to(Target(key="unwilling", connect=connect)) as door, door.connected() as wire:
        for _ in range(2):
            await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
            await asked.acquire()
            got = await wire.ask(b"abc")
            assert (got.status, got.headers.get("connection")) == (200, None)

    assert len(made) == 2


async def test_a_kept_connection_that_has_ended_is_not_used() -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        door.decider.decide_otherwise = lambda request: Answer(status=204) if request.target == b"/here" else None
        for _ in range(3):
            assert (await wire.ask(GET.replace(b"GET", b"POST"))).status == 200
            await origin.ended.acquire()
            # Time enough for the news, which were there before this question.
            await wire.ask(GET.replace(b"/", b"/here", 1))

    assert origin.connections == 3


async def test_a_kept_connection_ends_before_its_origin_ends_it() -> None:
    ended = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=1, max=9\r\n\r\n"))
        await writer.drain()
        await reader.read()
        ended.set()

    async with scripted_origin(handle) as origin, door_to(origin.target, times=QUICK) as door:
        await door.ask(GET)
        async with asyncio.timeout(SOON_SECONDS):
            await ended.wait()


async def test_access_that_is_taken_back_cuts_what_is_under_way() -> None:
    may = True
    ended = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nbegun")
        await reader.read()
        ended.set()

    async with scripted_origin(handle) as origin, door_to(origin.target, times=QUICK) as door:
        door.decider.still_may = lambda _: may
        async with door.connected() as wire:
            await wire.send(GET)
            assert (await wire.read()).startswith(b"HTTP/1.1 200")
            may = False
            with pytest.raises(ConnectionResetError):
                await wire.rest()
            async with asyncio.timeout(SOON_SECONDS):
                await ended.wait()


async def test_what_is_sent_to_nobody_has_reached_nobody_and_moved_nothing(door: Door) -> None:
    moved: list[bool] = []
    connecting, sent, looked = asyncio.Event(), asyncio.Event(), asyncio.Semaphore(0)

    def still_may(has_moved: bool) -> bool:
        moved.append(has_moved)
        if sent.is_set():
            looked.release()
        return True

    async def connect() -> Upstream:
        connecting.set()
        for _ in range(3):
            await looked.acquire()
        raise Unavailable("connection_refused", "Nobody listens.")

    async with door_to(Target(key="nobody", connect=connect), times=QUICK) as closed, closed.connected() as wire:
        closed.decider.still_may = still_may
        await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        await connecting.wait()
        await wire.send(b"abc")
        sent.set()
        got = await wire.answer("POST")
    async with door.connected() as wire:
        answers = [(await wire.ask(GET)).status for _ in range(2)]

    assert (got.status, closed.decider.reached, any(moved)) == (502, 0, False)
    assert (answers, door.decider.reached) == ([200, 200], 2)


async def test_an_answer_of_the_edge_leaves_the_connection_usable_unless_a_body_is_to_come(door: Door) -> None:
    answer = Answer(status=403, headers=[(b"x-own", b"1")], body=b"no")
    door.decider.decide_otherwise = lambda request: answer if request.target == b"/no" else None

    async with door.connected() as wire:
        got = await wire.ask(b"GET /no HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (got.status, got.body, got.headers) == (403, b"no", {"x-own": "1", "content-length": "2"})
        assert (await wire.ask(b"HEAD /no HTTP/1.1\r\nHost: a\r\n\r\n")).body == b""
        assert (await wire.ask(GET)).status == 200
        got = await wire.ask(
            b"POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        assert (got.status, got.headers["connection"]) == (403, "close")
        wire.end()
        assert await wire.rest() == b""


async def test_a_decider_that_fails_is_a_fault_of_the_edge(door: Door) -> None:
    def fail(_: object) -> Answer:
        raise ZeroDivisionError

    door.decider.decide_otherwise = fail

    got = await door.ask(GET)

    assert (got.status, got.headers["content-type"]) == (500, "application/problem+json")


async def test_a_connection_is_handed_over_with_what_came_behind_the_head(door: Door) -> None:
    class Other(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            taken.put_nowait(data)

    taken: asyncio.Queue[bytes] = asyncio.Queue()

    def take(transport: asyncio.Transport, rest: bytes) -> None:
        transport.set_protocol(Other())
        transport.write(b"mine: " + rest)

    door.decider.decide_otherwise = lambda _: Handover(take=take)

    async with door.connected() as wire:
        await wire.send(GET + b"behind")
        assert await wire.read() == b"mine: behind"
        await wire.send(b"more")
        assert await taken.get() == b"more"
    assert len(door.crowd) == 0


async def test_closing_lets_answers_end_and_sends_idle_clients_away() -> None:
    go_on = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        await go_on.wait()
        writer.write(b"k")

    async with (
        scripted_origin(handle) as origin,
        door_to(origin.target) as door,
        door.connected() as busy,
        door.connected() as idle,
    ):
        await busy.send(GET)
        first = await busy.read()
        closing = asyncio.create_task(door.front.aclose(grace_seconds=SOON_SECONDS))
        assert await idle.rest() == b""
        go_on.set()
        assert (first + await busy.rest()).endswith(b"ok")
        await closing


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_an_answer_that_outlasts_the_edge_s_grace_is_told_from_a_whole_one(version: bytes) -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nbegun")
        await reader.read()

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(GET.replace(b"1.1", version))
        assert (await wire.read()).startswith(b"HTTP/1.1 200")
        await door.front.aclose(grace_seconds=0.01)
        with pytest.raises(ConnectionResetError):
            await wire.rest()


async def test_an_answer_that_nobody_takes_is_told_from_a_whole_one() -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(LARGE))
        await writer.drain()

    async with (
        scripted_origin(handle) as origin,
        door_to(origin.target, times=QUICK) as door,
        door.connected(receive_bytes=4096) as wire,
    ):
        await wire.send(GET.replace(b"1.1", b"1.0"))
        async with asyncio.timeout(SOON_SECONDS):
            await origin.ended.acquire()
        with pytest.raises(ConnectionResetError):
            await wire.rest()
