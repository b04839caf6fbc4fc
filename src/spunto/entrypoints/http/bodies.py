"""Requests' bodies that are taken in no faster than they are read."""

import asyncio
from typing import Final

from quart import Request
from quart.wrappers.request import Body

# As much as a body may have that is read as a whole; only what is read piece by piece ever waits.
MAX_WAITING_BYTES: Final = 1024 * 1024


class PacedBody(Body):
    """Quart's, which would keep whatever comes."""

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(expected_content_length, max_content_length)
        self._taken = asyncio.Event()

    async def __anext__(self) -> bytes:
        piece = await super().__anext__()
        self._taken.set()
        return piece

    async def room(self) -> None:
        """Wait until less waits to be read than may."""
        while len(self._data) > MAX_WAITING_BYTES and self._max_content_length is None:
            self._taken.clear()
            await self._taken.wait()


class PacedRequest(Request):
    body_class = PacedBody
