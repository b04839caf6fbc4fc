"""Nothing of a WebSocket stays when its handler has ended."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hypercorn.config import Config
from hypercorn.protocol.events import Data, Event, Response, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, Handshake
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, TextMessage

from spunto.entrypoints.ws.streams import OWN_HEARTBEAT, EndingStream

MAX_BYTES = Config().websocket_max_message_size


class Ending:
    """A stream whose handler reads from `queue`, and what it sent."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue(2)
        self.sent: list[Event] = []
        nothing: Any = None
        context: Any = self
        self.pinged = asyncio.Event()
        self.stream = EndingStream(nothing, Config(), context, nothing, False, None, None, self.send, 1)
        self.stream.app_put = self.queue.put
        self.state: dict[str, object] = {}
        scope: Any = {"state": self.state}
        self.stream.scope = scope
        self.stream.connection = Connection(ConnectionType.SERVER)
        self.stream.state = ASGIWebsocketState.CLOSED

    async def sleep(self, seconds: float | None) -> None:
        """As the context of a worker: pings wait here."""
        self.pinged.set()
        await asyncio.get_running_loop().create_future()

    async def send(self, event: Event) -> None:
        self.sent.append(event)
        if isinstance(event, StreamClosed):
            await self.stream.handle(event)


@pytest.fixture
def ending() -> Ending:
    return Ending()


async def test_a_full_queue_does_not_hold_up_the_end(ending: Ending) -> None:
    for _ in range(2):
        ending.queue.put_nowait("flood")
    waiting = asyncio.create_task(ending.queue.put("more"))
    await asyncio.sleep(0)

    async with asyncio.timeout(1):
        await ending.stream.app_send(None)
        await waiting

    assert [type(event) for event in ending.sent] == [StreamClosed]


async def test_what_comes_in_after_the_end_is_dropped(ending: Ending) -> None:
    await ending.stream.app_send(None)

    assert ending.stream.app_put is not None
    for _ in range(3):
        await ending.stream.app_put("flood")

    assert ending.queue.empty()


async def test_a_message_that_is_too_big_ends_the_stream(ending: Ending) -> None:
    client = Connection(ConnectionType.CLIENT)
    ending.stream.state = ASGIWebsocketState.CONNECTED
    ending.stream.handshake = SimpleNamespace(accepted=True)  # type: ignore[assignment]  # all that is asked of it
    too_big, other = (client.send(event) for event in (TextMessage("x" * (MAX_BYTES + 1)), BytesMessage(b"x")))

    await ending.stream.handle(Data(stream_id=1, data=too_big))
    await ending.stream.handle(Data(stream_id=1, data=other))

    assert [type(event) for event in ending.sent] == [Data, StreamClosed]
    assert ending.queue.get_nowait()["type"] == "websocket.disconnect"


async def test_pings_end_with_their_stream(ending: Ending) -> None:
    pinging = asyncio.create_task(ending.stream._send_pings())
    async with asyncio.timeout(1):
        await ending.pinged.wait()

    await ending.stream.app_send(None)

    with pytest.raises(asyncio.CancelledError):
        await pinging


async def test_a_socket_with_a_heartbeat_of_its_own_is_not_pinged(ending: Ending) -> None:
    ending.state[OWN_HEARTBEAT] = True

    await ending.stream._send_pings()

    assert ending.sent == []
    assert not ending.pinged.is_set()


async def test_an_offer_to_compress_is_not_taken(ending: Ending) -> None:
    offer = [(b"sec-websocket-key", b"x"), (b"sec-websocket-extensions", b"permessage-deflate")]
    ending.stream.state = ASGIWebsocketState.HANDSHAKE
    ending.stream.handshake = Handshake(offer, "1.1")
    ending.stream.start_time = 0
    ending.stream.config.websocket_ping_interval = None

    await ending.stream.app_send({"type": "websocket.accept", "subprotocol": None, "headers": []})

    [answer] = ending.sent
    assert isinstance(answer, Response)
    assert b"sec-websocket-extensions" not in dict(answer.headers)
