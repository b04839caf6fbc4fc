"""Closing a listener without breaking what the kernel has let in already."""

import asyncio
import ctypes
import select
import socket
import struct
from contextlib import suppress
from typing import Final

_SO_ATTACH_FILTER: Final = 26
_MOST_TURNS: Final = 100
_TURNS: Final = 8
"""Of the loop, for one who was accepted to have a connection, a task, and that task's first step. Before it nobody
waits for the task."""
# One instruction of the kernel's packet filter, BPF_RET | BPF_K: of every packet, take 0 bytes.
_TAKE_NOTHING: Final = struct.pack("HBBI", 0x06, 0, 0, 0)


def turn_away(listener: socket.socket) -> None:
    """Have nobody connect any more, so that who waits to be accepted is the last.

    The kernel connects clients by itself, and closing the listener resets those whom the loop has not accepted yet,
    who may have sent a request by then. Those turned away dial again within a second, and find another server.
    Elsewhere than on Linux nothing happens.
    """
    program = ctypes.create_string_buffer(_TAKE_NOTHING, len(_TAKE_NOTHING))
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))


async def last_let_in(listener: socket.socket) -> None:
    """Until the loop has accepted who waited, and serves them."""
    waiting = select.poll()
    waiting.register(listener, select.POLLIN)
    for _ in range(_MOST_TURNS):
        if not waiting.poll(0):
            break
        await asyncio.sleep(0)
    for _ in range(_TURNS):
        await asyncio.sleep(0)
