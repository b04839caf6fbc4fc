"""A socket that ends leaves room in its queue for the word of its end."""

import asyncio
from typing import Any

from spunto.entrypoints.ws.draining import DrainedSockets


async def test_a_full_queue_has_room_once_the_handler_has_ended() -> None:
    queue: asyncio.Queue[bytes] = asyncio.Queue(2)
    flooding = asyncio.create_task(_flood(queue))

    async def handler(scope: Any, receive: Any, send: Any) -> None:
        while not queue.full():
            await asyncio.sleep(0)

    await DrainedSockets(handler)({"type": "websocket"}, queue.get, None)

    queue.put_nowait(b"the end")
    flooding.cancel()


async def test_what_is_no_socket_is_left_alone() -> None:
    queue: asyncio.Queue[bytes] = asyncio.Queue(2)
    queue.put_nowait(b"body")

    async def handler(scope: Any, receive: Any, send: Any) -> None: ...

    await DrainedSockets(handler)({"type": "http"}, queue.get, None)

    assert queue.qsize() == 1


async def _flood(queue: asyncio.Queue[bytes]) -> None:
    while True:
        await queue.put(b"x")
