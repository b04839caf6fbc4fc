"""Connections to a worker's port whose bytes are no HTTP: they go in the frames of a WebSocket, both ways."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from spunto.adapters.lean_pipe import LeanPipe
from spunto.adapters.lean_websocket import put_on
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError
from spunto.core.protocol import closing
from spunto.core.protocol.transport import TransportClosed
from spunto.entrypoints.edge.seams import Handover, RequestHead, Upstream
from spunto.entrypoints.serving.crowd import Crowd
from spunto.entrypoints.serving.peers import counted_peer

GOING_AWAY: Final = 1001
BROKE: Final = 4502
"""The worker's end broke off; the reason says how."""
EOF: Final = ""
"""A text frame: whoever sends it sends no more bytes, and goes on listening."""
_LOOK_SECONDS: Final = 1.0

log = structlog.get_logger()


class _Over(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Tunnels:
    """`run` owns them. They count among those who hold the front door's connections."""

    def __init__(self, *, crowd: Crowd, clock: Clock) -> None:
        self._crowd = crowd
        self._clock = clock
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Hold the tunnels, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None

    def handover(self, request: RequestHead, upstream: Upstream, *, still_may: Callable[[bool], bool]) -> Handover:
        """To the upstream, which is its own; `still_may` is asked as a Forward's is."""

        def take(transport: asyncio.Transport, unread: bytes) -> None:
            pipe = LeanPipe()
            is_on = put_on(transport, pipe, path=request.target, headers=request.headers, unread=unread)
            if self._group is None or not is_on:
                upstream.reset("aborted")
                transport.close()
                return
            tunnel = _Tunnel(
                address=counted_peer(request.peer),
                pipe=pipe,
                transport=transport,
                upstream=upstream,
                still_may=still_may,
                clock=self._clock,
            )
            self._group.create_task(self._serve(tunnel), name="edge tunnel")

        return Handover(take=take)

    async def _serve(self, tunnel: "_Tunnel") -> None:
        with self._crowd.entered(tunnel) as is_in:
            try:
                await tunnel.run() if is_in else await tunnel.end(closing.BUSY, "The edge has too many connections.")
            except Exception as error:  # the edge of a connection, which ends; the others go on
                tunnel.leave()
                log.error("tunnel_failed", exc_info=error)


@dataclass(slots=True, kw_only=True, eq=False)
class _Tunnel:
    """One of the crowd."""

    address: str
    pipe: LeanPipe
    transport: asyncio.Transport
    upstream: Upstream
    still_may: Callable[[bool], bool]
    clock: Clock
    has_moved: bool = False
    has_heard_all: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether the client sends no more."""

    @property
    def awaits_client(self) -> bool:
        return False

    def leave(self) -> None:
        self.transport.abort()

    async def run(self) -> None:
        """Until both ends have said their last, one is gone, or it may not be any more."""
        code, reason = GOING_AWAY, "The edge is ending."
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(each(), name=each.__name__) for each in (self._watch, self._to_worker)]
                await self._from_worker()
                await self.has_heard_all.wait()
                for task in beside:
                    task.cancel()
            code, reason = closing.NORMAL, ""
        except* _Over as overs:
            first = overs.exceptions[0]
            code, reason = (first.code, first.reason) if isinstance(first, _Over) else (code, reason)
        finally:
            await self.end(code, reason)

    async def end(self, code: int, reason: str) -> None:
        if code == closing.NORMAL:
            await self.upstream.aclose()
        else:
            self.upstream.reset("aborted")
        await self.pipe.close(code, reason)

    async def _from_worker(self) -> None:
        try:
            while (data := await self.upstream.read()) is not None:
                self.has_moved = True
                await self.pipe.send(data)
            await self.pipe.send(EOF)
        except SpuntoError as error:
            raise _Over(BROKE, error.message) from error
        except TransportClosed as closed:
            raise _gone() from closed

    async def _to_worker(self) -> None:
        """Goes on after the end, to hear that the client has gone."""
        try:
            while True:
                frame = await self.pipe.receive()
                if self.has_heard_all.is_set() or (isinstance(frame, str) and frame != EOF):
                    raise _Over(closing.BAD_PROTOCOL, "Send binary frames, and at the end one empty text frame.")
                if isinstance(frame, bytes):
                    self.has_moved = True
                    await self.upstream.write(frame)
                else:
                    await self.upstream.write_eof()
                    self.has_heard_all.set()
        except TransportClosed as closed:
            raise _gone() from closed
        except SpuntoError:
            # What became of the worker's end is told by reading from it.
            self.has_heard_all.set()

    async def _watch(self) -> None:
        while True:
            await self.clock.sleep(_LOOK_SECONDS)
            moved, self.has_moved = self.has_moved, False
            if not self.still_may(moved):
                raise _Over(closing.FORBIDDEN, "The port is not yours to use any more.")


def _gone() -> _Over:
    return _Over(GOING_AWAY, "The client has gone.")
