"""A transport in memory: two ends, each bounded, that can be closed or cut."""

import asyncio
from collections import deque

from spunto.core.protocol.transport import TransportClosed

_CUT = 1006


class _Lane:
    """One direction. A full lane makes the sender wait; what was sent before the close still arrives."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._frames: deque[str | bytes] = deque()
        self._changed = asyncio.Event()
        self._closed: tuple[int, str] | None = None

    async def put(self, frame: str | bytes) -> None:
        while self._closed is None and len(self._frames) >= self._capacity:
            await self._change()
        if self._closed is not None:
            raise TransportClosed(*self._closed)
        self._frames.append(frame)
        self._changed.set()

    async def get(self) -> str | bytes:
        while not self._frames:
            if self._closed is not None:
                raise TransportClosed(*self._closed)
            await self._change()
        self._changed.set()
        return self._frames.popleft()

    def close(self, code: int, reason: str) -> None:
        self._closed = self._closed or (code, reason)
        self._changed.set()

    def drop(self) -> None:
        self._frames.clear()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class MemoryTransport:
    """One end of the pipe."""

    def __init__(self, outgoing: _Lane, incoming: _Lane) -> None:
        self._outgoing = outgoing
        self._incoming = incoming

    async def send(self, frame: str | bytes) -> None:
        await self._outgoing.put(frame)

    async def receive(self) -> str | bytes:
        return await self._incoming.get()

    async def close(self, code: int, reason: str) -> None:
        self._outgoing.close(code, reason)
        self._incoming.close(code, reason)
        self._incoming.drop()

    def abort(self) -> None:
        """Cut the pipe for both ends: what is under way is lost, and nobody says goodbye."""
        for lane in (self._outgoing, self._incoming):
            lane.close(_CUT, "connection lost")
            lane.drop()


def memory_transport_pair(*, capacity: int = 64) -> tuple[MemoryTransport, MemoryTransport]:
    """Both ends of a pipe that holds up to `capacity` frames each way."""
    one, other = _Lane(capacity), _Lane(capacity)
    return MemoryTransport(one, other), MemoryTransport(other, one)
