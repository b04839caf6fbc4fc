"""Connections to a worker's port that are no HTTP: what goes through, and when it ends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import pytest
from tests.unit.entrypoints.edge.house import House, a_house
from websockets.asyncio.client import ClientConnection, connect

from spunto.core.kernel.errors import Unavailable
from spunto.core.routes.hosts import TUNNEL_PATH
from spunto.entrypoints.edge.seams import Handover

PATIENCE_SECONDS: Final = 10.0
PIECE_BYTES: Final = 64 * 1024
MANY: Final = 1000


class Echo:
    """An upstream that gives back what it takes, up to four pieces that nobody has read."""

    def __init__(self) -> None:
        self._held: asyncio.Queue[bytes | None] = asyncio.Queue(4)
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def is_quiet(self) -> bool:
        return self._held.empty()

    async def read(self) -> bytes | None:
        data = await self._held.get()
        if data == b"break":
            raise Unavailable("connection_reset", "The program broke it off.")
        return data

    async def write(self, data: bytes) -> None:
        await self._held.put(data)

    async def write_eof(self) -> None:
        await self._held.put(None)

    def reset(self, code: str, message: str = "") -> None:
        self._end(code)

    async def aclose(self) -> None:
        self._end("closed")

    def _end(self, how: str) -> None:
        if not self.ended.done():
            self.ended.set_result(how)


class Head(asyncio.Protocol):
    """Reads a request's head."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.lines: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        if self._read.endswith(b"\r\n\r\n"):
            self.lines.set_result(self._read.split(b"\r\n")[1:-2])


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        house.listens_at = 0.0
        yield house


@pytest.fixture
async def echo(house: House) -> Echo:
    echo = Echo()
    house.upstream = lambda: echo
    return echo


def token_of(house: House) -> dict[str, str]:
    return {"Authorization": f"Bearer {house.harness.owner_token.reveal()}"}


def connected() -> tuple[socket.socket, socket.socket]:
    """By TCP, whose options are set."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    return ours, theirs


@asynccontextmanager
async def tunnel(house: House, headers: dict[str, str] | None = None) -> AsyncIterator[ClientConnection]:
    """What a client has of one."""
    ours, theirs = connected()
    host, (transport, head) = house.host(), await asyncio.get_running_loop().connect_accepted_socket(Head, ours)
    client = asyncio.ensure_future(
        connect(
            f"ws://{host}{TUNNEL_PATH}",
            sock=theirs,
            additional_headers=headers or token_of(house),
            proxy=None,
            compression=None,
            ping_interval=None,
            close_timeout=1,
        ).__aenter__()
    )
    pairs = [line.partition(b": ") for line in await head.lines]
    given = {name.decode().lower(): value.decode() for name, _, value in pairs}
    del given["host"]
    found = await house.ask(host, TUNNEL_PATH, **given)
    assert isinstance(found, Handover), found
    found.take(transport, b"")
    async with asyncio.timeout(PATIENCE_SECONDS):
        connection = await client
        try:
            yield connection
        finally:
            await connection.close()


async def closing_of(connection: ClientConnection) -> tuple[int, str]:
    await connection.wait_closed()
    return connection.close_code or 0, connection.close_reason or ""


async def send_all(connection: ClientConnection, size: int) -> None:
    for _ in range(size // PIECE_BYTES):
        await connection.send(bytes(PIECE_BYTES))


async def used_at(house: House) -> datetime:
    harness, worker = house.harness, house.worker.worker
    found = await harness.spunto.workers.get(harness.owner, worker.org_id, worker.project_id, worker.id)
    return found.worker.last_activity_at


async def test_bytes_go_both_ways_and_each_end_ends_by_itself(house: House, echo: Echo) -> None:
    async with tunnel(house) as connection:
        await connection.send(b"\x00one")
        first = await connection.recv()
        await connection.send(b"two")
        await connection.send("")
        rest = [await connection.recv(), await connection.recv()]

        closing = await closing_of(connection)

    assert (first, rest, closing, await echo.ended) == (b"\x00one", [b"two", ""], (1000, ""), "closed")


async def test_many_small_frames_come_whole_and_in_order(house: House, echo: Echo) -> None:
    sent = [bytes([each]) for each in range(256)]
    received = b""

    async with tunnel(house) as connection:
        for each in sent:
            await connection.send(each)
        await connection.send("")
        while frame := await connection.recv():
            assert isinstance(frame, bytes)
            received += frame

    assert received == b"".join(sent)


async def test_whoever_takes_nothing_stops_the_other_side(house: House, echo: Echo) -> None:
    async with tunnel(house) as connection:
        sending = asyncio.create_task(send_all(connection, MANY * PIECE_BYTES))
        done, _ = await asyncio.wait({sending}, timeout=0.5)

        received = 0
        while received < MANY * PIECE_BYTES:
            received += len(await connection.recv())

    assert done == set()


async def test_what_breaks_at_the_worker_is_told(house: House, echo: Echo) -> None:
    async with tunnel(house) as connection:
        await connection.send(b"break")

        assert await closing_of(connection) == (4502, "The program broke it off.")


async def test_a_client_that_goes_ends_the_worker_s_side(house: House, echo: Echo) -> None:
    async with tunnel(house) as connection:
        await connection.send(b"one")
        await connection.recv()

    assert await echo.ended == "aborted"


@pytest.mark.parametrize("frames", [["text"], ["", b"more"]])
async def test_frames_that_are_none_of_a_tunnel_s_end_it(house: House, echo: Echo, frames: list[str | bytes]) -> None:
    async with tunnel(house) as connection:
        for frame in frames:
            await connection.send(frame)

        assert (await closing_of(connection))[0] == 4400


def frame(first: int, payload: bytes = b"") -> bytes:
    """A client's, masked by nothing; `first` has FIN, the reserved bits and the kind."""
    return bytes([first, 0x80 | len(payload), 0, 0, 0, 0]) + payload


async def test_messages_may_come_in_parts(house: House, echo: Echo) -> None:
    received = b""

    async with tunnel(house) as connection:
        await connection.send([b"a", b"b", b"", b"c"])
        await (await connection.ping())
        connection.transport.write(frame(0x01) + frame(0x00) + frame(0x80))
        while data := await connection.recv():
            assert isinstance(data, bytes)
            received += data
        closing = await closing_of(connection)

    assert (received, closing) == (b"abc", (1000, ""))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (frame(0x80, b"lone"), 4400),
        (frame(0x02, b"begun") + frame(0x82, b"another"), 4400),
        (frame(0x02, b"begun") + frame(0x81), 4400),
        (frame(0x01) + frame(0x80, b"text"), 4400),
        (frame(0x81, b"\xff"), 4400),
        (frame(0xC2, b"compressed"), 1002),
        (frame(0xA2, b"reserved"), 1002),
        (frame(0x92, b"reserved"), 1002),
    ],
)
async def test_frames_that_no_client_sends_end_it_and_are_told(house: House, echo: Echo, raw: bytes, code: int) -> None:
    async with tunnel(house) as connection:
        connection.transport.write(raw)

        assert (await closing_of(connection))[0] == code
    assert await echo.ended == "aborted"


async def test_it_ends_within_five_seconds_of_the_session_that_it_lives_on(house: House, echo: Echo) -> None:
    opened = await house.harness.spunto.access.open_session(house.harness.owner.user_id)  # type: ignore[arg-type]  # a person
    actor = await house.harness.spunto.access.authenticate(opened.token)
    async with tunnel(house, {"Authorization": f"Bearer {opened.token.reveal()}"}) as connection:
        await house.harness.spunto.sessions.end(actor)
        for _ in range(5):
            await house.harness.advance(1.0)

        assert (await closing_of(connection))[0] == 4403
    assert await echo.ended == "aborted"


async def test_what_moves_counts_as_use_and_silence_does_not(house: House, echo: Echo) -> None:
    async with tunnel(house) as connection:
        await house.harness.advance(60.0)
        opened = await used_at(house)
        await house.harness.advance(180.0)
        quiet = await used_at(house)
        await connection.send(b"one")
        await connection.recv()
        await house.harness.advance(60.0)

        assert quiet == opened
        assert await used_at(house) - opened >= timedelta(seconds=180)


async def test_whoever_finds_no_room_in_the_crowd_is_told(house: House, echo: Echo) -> None:
    async with tunnel(house), tunnel(house), tunnel(house) as surplus:
        assert (await closing_of(surplus))[0] == 1013


async def test_the_edge_s_end_is_told() -> None:
    async with AsyncExitStack() as stack:
        async with a_house() as house:
            house.listens_at, house.upstream = 0.0, Echo
            connection = await stack.enter_async_context(tunnel(house))

        assert (await closing_of(connection))[0] == 1001
