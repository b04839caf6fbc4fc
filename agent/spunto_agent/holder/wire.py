"""Version 1 of what the agent and the holder say to each other over the Unix socket. It does not change any more: an
agent that was upgraded finds a holder of before, which holds terminals that nobody wants to lose.

A frame is its length (4 bytes, of what follows), a tag (1 byte) and a body. Numbers are big-endian. Both greet with a
control, then the agent asks once a connection. Words that one side does not know mean nothing to it.
"""

import asyncio
import json
import struct
from typing import Any, Final

from spunto.core.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    QuotaExceeded,
    SpuntoError,
    Unavailable,
)

VERSION: Final = 1
CONTROL: Final = 1
"""A JSON object in UTF-8."""
OUTPUT: Final = 2
"""8 bytes of offset, then what the shell said from there on."""
INPUT: Final = 3
"""What is typed."""
MAX_FRAME_BYTES: Final = 1024 * 1024

Control = dict[str, Any]
_HEAD: Final = struct.Struct(">IB")
_OUTPUT_HEAD: Final = struct.Struct(">IBQ")
_OFFSET: Final = struct.Struct(">Q")
_KINDS: Final[dict[str, type[SpuntoError]]] = {
    each.__name__: each for each in (Malformed, Invalid, Forbidden, NotFound, Conflict, QuotaExceeded, Unavailable)
}


class BrokenFrame(Exception):
    """The other side does not speak this."""


def control(body: Control) -> bytes:
    text = json.dumps(body, separators=(",", ":")).encode()
    return _HEAD.pack(len(text) + 1, CONTROL) + text


def output(offset: int, data: bytes) -> bytes:
    return _OUTPUT_HEAD.pack(len(data) + 9, OUTPUT, offset) + data


def typed(data: bytes) -> bytes:
    return _HEAD.pack(len(data) + 1, INPUT) + data


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes] | None:
    """Tag and body; None at the end of the connection, whole or not. Raises BrokenFrame."""
    try:
        size_bytes, tag = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        if not 1 <= size_bytes <= MAX_FRAME_BYTES:
            raise BrokenFrame(f"a frame of {size_bytes} bytes")
        return tag, await reader.readexactly(size_bytes - 1)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def read_control(reader: asyncio.StreamReader) -> Control | None:
    """The next control, others passed over; None at the end. Raises BrokenFrame."""
    while (frame := await read_frame(reader)) is not None:
        if frame[0] == CONTROL:
            return body_of(frame[1])
    return None


def body_of(text: bytes) -> Control:
    """Raises BrokenFrame."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise BrokenFrame("a control that is no JSON") from error
    if not isinstance(body, dict):
        raise BrokenFrame("a control that is no object")
    return body


def said_at(body: bytes) -> tuple[int, bytes]:
    """Offset and data of an output's body. Raises BrokenFrame."""
    if len(body) < _OFFSET.size:
        raise BrokenFrame("an output without an offset")
    return _OFFSET.unpack_from(body)[0], body[_OFFSET.size :]


def refusal(error: SpuntoError) -> Control:
    kind = next((name for name, each in _KINDS.items() if isinstance(error, each)), "Unavailable")
    after = getattr(error, "retry_after_seconds", None)
    return {"error": {"kind": kind, "code": error.code, "message": error.message, "retryAfterSeconds": after}}


def error_of(said: Control) -> SpuntoError:
    """The error that a refusal tells of."""
    code, message = str(said.get("code", "holder_failed")), str(said.get("message", ""))
    kind, after = _KINDS.get(str(said.get("kind")), Unavailable), said.get("retryAfterSeconds")
    if issubclass(kind, QuotaExceeded):
        return kind(code, message, retry_after_seconds=float(after or 5))
    if issubclass(kind, Unavailable):
        return kind(code, message, retry_after_seconds=None if after is None else float(after))
    return kind(code, message)
