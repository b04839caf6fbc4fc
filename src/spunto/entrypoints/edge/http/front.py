"""The front door: takes connections, and ends what lasts too long. What becomes of requests is a Decider's business."""

import asyncio
import socket
import ssl
from typing import Final

import structlog

from spunto.entrypoints.edge.http.client import Client
from spunto.entrypoints.edge.http.conversation import House, converse
from spunto.entrypoints.edge.http.exchange import Exchange
from spunto.entrypoints.edge.http.origin import Origins
from spunto.entrypoints.edge.http.times import Times
from spunto.entrypoints.edge.seams import Decider
from spunto.entrypoints.serving.crowd import Crowd
from spunto.entrypoints.serving.logs import Seldom

_BACKLOG: Final = 1024
# Of bytes that are not even on their way. Without it the system holds megabytes for each client that reads slowly.
_NOT_SENT_BYTES: Final = 128 * 1024
_TCP_NOTSENT_LOWAT: Final = 25
# Of a body that nobody takes. For whoever sends fast the system would let it grow to many times as much.
_NOT_TAKEN_BYTES: Final = 1024 * 1024

log = structlog.get_logger()


class Front:
    """Any number of listeners with one crowd of clients."""

    def __init__(self, decider: Decider, *, crowd: Crowd, times: Times | None = None) -> None:
        self._times = times or Times()
        self._crowd = crowd
        self._origins = Origins()
        self._exchanges: set[Exchange] = set()
        self._clients: dict[Client, asyncio.Task[None]] = {}
        self._listeners: list[asyncio.Server] = []
        self._is_ending = False
        self._loop = asyncio.get_running_loop()
        self._ticking = self._loop.call_later(self._times.tick, self._tick)
        self._seldom = Seldom(monotonic=self._loop.time)
        self._house = House(
            decider=decider,
            origins=self._origins,
            exchanges=self._exchanges,
            times=self._times,
            is_ending=lambda: self._is_ending,
        )

    async def listen(self, listener: socket.socket, *, tls: ssl.SSLContext | None = None) -> None:
        """Serve a bound socket, until `aclose`."""
        if listener.family != socket.AF_UNIX:
            _bound(listener, stalled_seconds=self._times.stalled)
        server = await self._loop.create_server(
            lambda: Client(self._opened, self._closed, self._times), sock=listener, ssl=tls, backlog=_BACKLOG
        )
        self._listeners.append(server)

    async def aclose(self, *, grace_seconds: float = 0.0) -> None:
        """Take no more connections, let answers under way end in the time given, and end what is left then."""
        self._is_ending = True
        for listener in self._listeners:
            listener.close()
        for client in list(self._clients):
            if not client.is_served:
                client.close()
        if self._clients and grace_seconds:
            await asyncio.wait(self._clients.values(), timeout=grace_seconds)
        tasks = list(self._clients.values())
        for client in list(self._clients):
            # Some of them were not told how long their answer is.
            client.cut()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._ticking.cancel()
        self._origins.close()

    def _opened(self, client: Client) -> None:
        self._clients[client] = self._loop.create_task(self._serve(client), name="edge client")

    def _closed(self, client: Client) -> None:
        task = self._clients.pop(client, None)
        if task is not None:
            task.cancel()

    async def _serve(self, client: Client) -> None:
        with self._crowd.entered(client) as is_in:
            if not is_in:
                client.leave()
                return
            try:
                await converse(client, self._house)
            except Exception as error:  # the edge of a connection, which ends; the others go on
                client.cut()
                left_out = self._seldom.left_out("connection_failed")
                if left_out is not None:
                    log.error("connection_failed", exc_info=error, lines_left_out=left_out)
            if client.transport.get_protocol() is not client:
                del self._clients[client]
                return
            client.is_served = False
            # As long as it holds a connection it counts.
            await client.gone()

    def _tick(self) -> None:
        # First, so that a fault in what follows stops no clock.
        self._ticking = self._loop.call_later(self._times.tick, self._tick)
        now = self._loop.time()
        for client in list(self._clients):
            client.tick(now)
        for exchange in list(self._exchanges):
            exchange.tick()
        self._origins.tick(now)


def _bound(listener: socket.socket, *, stalled_seconds: float) -> None:
    """Set what connections inherit from their listener."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NOT_TAKEN_BYTES)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stalled_seconds * 1000))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _NOT_SENT_BYTES)
