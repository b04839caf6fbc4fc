"""Turns between organizations whose bytes go through one edge: none waits for all that another has to move."""

import asyncio
from collections import defaultdict, deque
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.entrypoints.edge.seams import Upstream

TURN_BYTES: Final = 64 * 1024
"""What one moves in a turn of the loop while others move something too. With more, whoever has one stream loses
against many: its window is empty before the others' turn is over."""
RIVAL_SECONDS: Final = 0.1
"""How long somebody counts who moves nothing."""


class FairTurns:
    """Nobody waits who is alone, however much there is to move.

    What has to wait is not read any further, so that credit and the sockets' own windows hold whoever sends it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._moved: dict[str, int] = {}
        self._waiting: defaultdict[str, deque[tuple[int, asyncio.Future[None]]]] = defaultdict(deque)
        self._last_at: dict[str, float] = {}
        self._looked_at = clock.monotonic()
        self._is_turn = False

    async def take(self, org_id: str, size_bytes: int) -> None:
        """Wait until they may be moved, behind what waits already."""
        self._begin_turn()
        moved = self._moved.get(org_id, 0)
        if org_id not in self._waiting and (moved < TURN_BYTES or self._is_alone(org_id)):
            self._moved[org_id] = moved + size_bytes
            self._last_at[org_id] = self._clock.monotonic()
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[org_id].append((size_bytes, turn))
        await turn

    def _is_alone(self, org_id: str) -> bool:
        return len(self._last_at) <= (org_id in self._last_at)

    def _begin_turn(self) -> None:
        if not self._is_turn:
            self._is_turn = True
            asyncio.get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._is_turn = False
        self._moved = {}
        now = self._clock.monotonic()
        if now - self._looked_at >= RIVAL_SECONDS:
            self._looked_at = now
            self._last_at = {each: at for each, at in self._last_at.items() if now - at < RIVAL_SECONDS}
        for org_id in list(self._waiting):
            self._let_on(org_id)
            self._last_at[org_id] = now
        if self._waiting:
            self._begin_turn()

    def _let_on(self, org_id: str) -> None:
        waiting, moved = self._waiting[org_id], 0
        while waiting and moved < TURN_BYTES:
            size_bytes, turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                moved += size_bytes
        self._moved[org_id] = moved
        if not waiting:
            del self._waiting[org_id]


class InTurn:
    """An upstream whose bytes go in the turns of an organization."""

    def __init__(self, upstream: Upstream, turns: FairTurns, *, org_id: str) -> None:
        self._upstream = upstream
        self._turns = turns
        self._org_id = org_id

    async def read(self) -> bytes | None:
        data = await self._upstream.read()
        if data is not None:
            await self._turns.take(self._org_id, len(data))
        return data

    async def write(self, data: bytes) -> None:
        await self._turns.take(self._org_id, len(data))
        await self._upstream.write(data)

    def is_quiet(self) -> bool:
        return self._upstream.is_quiet()

    async def write_eof(self) -> None:
        await self._upstream.write_eof()

    def reset(self, code: str, message: str = "") -> None:
        self._upstream.reset(code, message)

    async def aclose(self) -> None:
        await self._upstream.aclose()
