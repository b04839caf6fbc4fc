"""Trees of this machine as tar streams: read and written in threads, and never held as a whole."""

import asyncio
import os
import queue
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.packing import Packing
from spunto.core.kernel.unpacking import TreeUnusable, Unpacking

_WAITING_PIECES: Final = 8
# Whoever unpacks here lets no program of another's run as they are.
_MODES: Final = 0o777


async def packed(path: Path, packing: Packing, *, name: str) -> AsyncIterator[bytes]:
    """An archive of what is there, or what it leads to, under that name. Raises OSError.

    Afterwards `packing` tells what is not in it.
    """
    found = await asyncio.to_thread(path.resolve, strict=True)
    parent = os.open(found.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        pieces = packing.of(parent, os.fsencode(found.name), shown=os.fsencode(name))
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece
    finally:
        os.close(parent)


async def unpacked(pieces: AsyncIterator[bytes], directory: Path, *, name: str) -> Unpacking:
    """Put the archive below the directory, under that name; gives what there was.

    Nothing is written anywhere else, whatever the archive says. Raises Invalid, OSError, and what `pieces` does.
    """
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    unpacking = Unpacking(root, top=os.fsencode(name), modes=_MODES)
    waiting: queue.Queue[bytes | None] = queue.Queue(_WAITING_PIECES)
    reading = _Reading(waiting)
    working = asyncio.create_task(asyncio.to_thread(_unpack, unpacking, reading), name="unpacking")
    try:
        async for piece in pieces:
            await asyncio.to_thread(waiting.put, piece)
        await asyncio.to_thread(waiting.put, None)
        await working
    except TreeUnusable as error:
        path = error.path.decode(errors="replace")
        raise Invalid(error.code, f"The archive can't be unpacked here: {path or 'it is not whole'}") from error
    finally:
        if not working.done():
            # The thread ends with what is given to it: nobody can cancel one.
            await asyncio.to_thread(waiting.put, None)
            with suppress(Exception):
                await working
        os.close(root)
    return unpacking


class _Reading:
    """The pieces as a file, for the thread. What breaks off has no proper end."""

    def __init__(self, waiting: "queue.Queue[bytes | None]") -> None:
        self._waiting = waiting
        self._rest: bytes | None = b""

    def read(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size and self._rest is not None:
            if not self._rest:
                self._rest = self._waiting.get()
                continue
            taken = self._rest[: size - len(found)]
            found += taken
            self._rest = self._rest[len(taken) :]
        return bytes(found)

    def drain(self) -> None:
        while self._rest is not None:
            self._rest = self._waiting.get()


def _unpack(unpacking: Unpacking, reading: _Reading) -> None:
    try:
        unpacking.all(reading)
    finally:
        # Whoever gives the pieces would wait for ever for room.
        reading.drain()
