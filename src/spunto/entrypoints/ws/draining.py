"""Lets a socket end while its peer still floods it: a layer between Hypercorn and the application."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

Receive = Callable[[], Coroutine[Any, Any, Any]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


class DrainedSockets:
    """Empties a socket's queue when its handler has ended.

    Hypercorn puts one more event there, and waits for ever where the queue is full and nobody reads it any more: the
    connection, its messages and its task would stay until the process ends.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        try:
            await self._application(scope, receive, send)
        finally:
            if scope["type"] == "websocket":
                drain(receive)


def drain(receive: Receive) -> None:
    """Take what is there without waiting: whatever waits for room can't come in before the caller has returned."""
    while True:
        event = receive()
        try:
            event.send(None)
        except StopIteration:
            continue
        event.close()
        return
