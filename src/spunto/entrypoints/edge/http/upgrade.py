"""WebSockets: the origin's consent is checked once, then bytes go both ways as they are."""

import asyncio
import base64
import hashlib
from contextlib import suppress
from typing import Final

from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.edge.http.client import Client
from spunto.entrypoints.edge.http.origin import Origin
from spunto.entrypoints.edge.http.responses import SWITCHED, Outgoing
from spunto.entrypoints.edge.seams import Headers, RequestHead

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SWITCHING: Final = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]


def has_agreed(request: RequestHead, answer: Outgoing) -> bool:
    """Whether the origin understood that it is asked for a WebSocket, and does not only say 101."""
    told = [_values(answer.headers, name) for name in (b"upgrade", b"connection", b"sec-websocket-accept")]
    upgrade, connection, accept = told
    key = _values(request.headers, b"sec-websocket-key")
    return (
        answer.status == SWITCHED
        and [value.lower() for value in upgrade] == [b"websocket"]
        and any(token.strip().lower() == b"upgrade" for value in connection for token in value.split(b","))
        and len(key) == 1
        and accept == [accept_of(key[0])]
    )


def accept_of(key: bytes) -> bytes:
    # The protocol's own choice, which is no secret.
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


async def pass_on(client: Client, origin: Origin) -> None:
    """Until both have said their last, or one is gone. Raises SpuntoError where the origin broke off."""
    there = asyncio.create_task(_to_origin(client, origin), name="edge upgraded")
    try:
        while data := await origin.more():
            client.write(data)
            await client.drained()
        if client.is_tls:
            # It has no half-closing: the client hears of an end by the whole one.
            return
        client.write_eof()
        await there
    finally:
        there.cancel()
        await asyncio.wait({there})


async def _to_origin(client: Client, origin: Origin) -> None:
    # What the origin did is told by reading from it.
    with suppress(SpuntoError):
        while data := await client.next_raw():
            await origin.upstream.write(data)
        await origin.upstream.write_eof()


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]
