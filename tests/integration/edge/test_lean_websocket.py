"""The WebSocket of relays, its two ends against each other and against another implementation."""

import asyncio
import base64
import os
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import cast

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from spunto.adapters.lean_websocket import LeanTransport, dial, take_over
from spunto.core.protocol.codec import MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES, encode
from spunto.core.protocol.messages import Data
from spunto.core.protocol.transport import TransportClosed

PATIENCE_SECONDS = 10.0


class Door(asyncio.Protocol):
    """Reads a head and hands the connection over."""

    def __init__(self, taken: Callable[[LeanTransport], None]) -> None:
        self._taken = taken
        self._read = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, unread = self._read.partition(b"\r\n\r\n")
        if end:
            lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
            headers = [(name.lower(), value) for name, _, value in lines]
            taken = take_over(self._transport, path=b"/relay", headers=headers, unread=unread)
            if taken is not None:
                self._taken(taken)


@dataclass(slots=True, kw_only=True)
class House:
    port: int
    taken: "asyncio.Queue[LeanTransport]"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/relay"

    async def dialled(self) -> tuple[LeanTransport, LeanTransport]:
        """The dialling end and the other."""
        near = await dial(self.url, headers=[], proxy=None, seconds=PATIENCE_SECONDS, context=None)
        return near, await self.taken.get()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    taken: asyncio.Queue[LeanTransport] = asyncio.Queue()
    made: list[LeanTransport] = []

    def keep(transport: LeanTransport) -> None:
        made.append(transport)
        taken.put_nowait(transport)

    listening = await asyncio.get_running_loop().create_server(lambda: Door(keep), "127.0.0.1", 0)
    try:
        async with asyncio.timeout(3 * PATIENCE_SECONDS):
            yield House(port=listening.sockets[0].getsockname()[1], taken=taken)
    finally:
        listening.close()
        for each in made:
            await each.close(1000, "over")


@pytest.mark.parametrize(("first", "code"), [(0x02, 1003), (0x80, 1003), (0xC2, 1002)])
async def test_frames_that_are_none_of_a_relay_s_are_refused_in_words(house: House, first: int, code: int) -> None:
    async with connect(house.url, compression=None) as client:
        taken = await house.taken.get()
        client.transport.write(bytes([first, 0x81, 0, 0, 0, 0]) + b"x")

        await client.wait_closed()
        with pytest.raises(TransportClosed) as closed:
            await taken.receive()

    assert (client.close_code, closed.value.code) == (code, code)


async def test_frames_of_all_sizes_arrive_as_they_were_sent_both_ways(house: House) -> None:
    near, far = await house.dialled()
    dice = random.Random(1)
    sizes = [1, 2, 100, 121, 122, 125, 126, 127, 4096, 8188, 8189, 65_531, MAX_PAYLOAD_BYTES]
    sizes += [dice.randrange(1, MAX_PAYLOAD_BYTES) for _ in range(200)]
    pieces = [Data(dice.randrange(1, 2**32), dice.randbytes(size)) for size in sizes]

    async def send(end: LeanTransport) -> None:
        for piece in pieces:
            await end.send(encode(piece))
        await end.send("the end")

    async def receive(end: LeanTransport) -> list[object]:
        return [await end.receive() for _ in range(len(pieces) + 1)]

    _, _, there, back = await asyncio.gather(send(near), send(far), receive(far), receive(near))
    await near.close(1000, "")

    assert there == back == [*pieces, "the end"]


async def test_what_comes_right_behind_the_head_is_read(house: House) -> None:
    key = base64.b64encode(bytes(16)).decode()
    lines = ("Host: x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    head = "\r\n".join(("GET /relay HTTP/1.1", *lines, f"Sec-WebSocket-Key: {key}", "", ""))
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)

    data = _masked(0x82, b"\0\0\0\1data")
    writer.write(head.encode() + _masked(0x81, b"early") + data[:7])
    far = await house.taken.get()
    writer.write(data[7:])
    frames = [await far.receive(), await far.receive()]
    answer = await reader.readuntil(b"\r\n")
    writer.close()

    assert frames == ["early", Data(1, b"data")]
    assert answer.startswith(b"HTTP/1.1 101")


async def test_a_close_carries_its_code_and_reason(house: House) -> None:
    near, far = await house.dialled()

    await far.close(4429, "too_many_frames")
    with pytest.raises(TransportClosed) as closed:
        await near.receive()
    with pytest.raises(TransportClosed):
        await near.send("on")
    await near.close(1000, "")

    assert (closed.value.code, closed.value.reason) == (4429, "too_many_frames")


async def test_an_end_that_vanishes_is_a_lost_connection(house: House) -> None:
    near, far = await house.dialled()

    near._socket.disconnect(graceful=False)  # type: ignore[union-attr]
    with pytest.raises(TransportClosed) as closed:
        await far.receive()

    assert closed.value.code == 1006


@pytest.mark.parametrize(
    ("sent", "as_text"),
    [([b"\0\0\0\1", b"more"], False), (bytes(MAX_FRAME_BYTES + 1), False), (b"\xff", True)],
    ids=["parts", "too big", "not UTF-8"],
)
async def test_what_no_relay_sends_ends_the_connection(house: House, sent: bytes | list[bytes], as_text: bool) -> None:
    async with connect(house.url, compression=None) as foreign:
        far = await house.taken.get()
        await foreign.send(sent, text=as_text)
        with pytest.raises(TransportClosed):
            await far.receive()
        with pytest.raises(ConnectionClosed):
            await foreign.recv()


async def test_another_implementation_is_understood(house: House) -> None:
    async with connect(house.url, compression=None) as foreign:
        far = await house.taken.get()
        await foreign.send("hello")
        await foreign.send(b"\0\0\0\1data")
        pong = await foreign.ping()
        heard = [await far.receive(), await far.receive()]
        await pong
        await far.send("hello")
        await far.send(b"\0\0\0\2data")
        said = [await foreign.recv(), await foreign.recv()]

    assert (heard, said) == (["hello", Data(1, b"data")], ["hello", b"\0\0\0\2data"])


async def test_who_does_not_read_stops_the_sender(house: House) -> None:
    near, far = await house.dialled()
    frame = encode(Data(1, bytes(MAX_PAYLOAD_BYTES)))
    sent = 0

    async def send() -> None:
        nonlocal sent
        while True:
            await near.send(frame)
            sent += 1

    sending = asyncio.ensure_future(send())
    stalled = -1
    while stalled != sent:
        stalled = sent
        await asyncio.wait({sending}, timeout=0.3)
    received = [await far.receive() for _ in range(stalled)]
    sending.cancel()
    await near.close(1000, "")

    assert len(received) == stalled
    assert stalled * len(frame) < 64 * 1024 * 1024


def _masked(first: int, payload: bytes) -> bytes:
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([first, 0x80 | len(payload)]) + mask + masked
