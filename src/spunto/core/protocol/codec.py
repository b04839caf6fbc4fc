"""Frames to messages and back: JSON text for control, four bytes of stream id before the payload for data."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, overload

import orjson
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from spunto.core.kernel.errors import Malformed
from spunto.core.protocol.messages import MAX_ITEMS, Data, Desired, DesiredItem, Message, Observed, StateMessage

MAX_FRAME_BYTES: Final = 1024 * 1024
MAX_PAYLOAD_BYTES: Final = 64 * 1024

# NUL is legal JSON, but no database column and no terminal of ours could keep it.
_NUL: Final = re.compile(rb"((?<!\\)(?:\\\\)*)\\u0000")
# Fields that a newer side adds to a message are passed over at every depth; what stands in those known here is strict.
_messages: Final[TypeAdapter[Message]] = TypeAdapter(
    Annotated[Message, Field(discriminator="type")],
    config={"alias_generator": to_camel, "extra": "ignore", "strict": True, "allow_inf_nan": False},
)


class ProtocolViolation(Malformed):
    """The other side sent what it may not send."""

    def __init__(self, message: str, *, code: str = "protocol_violation") -> None:
        super().__init__(code, message)


@overload
def encode(message: Data) -> bytes: ...
@overload
def encode(message: Message) -> str: ...
def encode(message: Message | Data) -> str | bytes:
    """The frame for a message of ours, which is not validated again. Raises ProtocolViolation when it is too big."""
    if isinstance(message, Data):
        return message.stream.to_bytes(4, "big") + message.payload
    raw = _messages.dump_json(message, by_alias=True)
    if b"\\u0000" in raw:
        raw = _NUL.sub(rb"\1\\ufffd", raw)
    if len(raw) > MAX_FRAME_BYTES:
        raise ProtocolViolation(f"A {message.type} of {len(raw)} bytes is too big for a frame.", code="frame_too_big")
    return raw.decode()


def encode_parts(message: StateMessage) -> Iterator[str]:
    """The message as one frame, or halved until its parts fit. Raises ProtocolViolation when that does not help."""
    try:
        yield encode(message)
    except ProtocolViolation:
        if not isinstance(message, Desired | Observed) or len(message.items) < 2:
            raise
        for part in _halves(message):
            yield from encode_parts(part)


def _halves(message: Desired | Observed) -> tuple[StateMessage, StateMessage]:
    middle = len(message.items) // 2
    if isinstance(message, Observed):
        return replace(message, items=message.items[:middle]), replace(message, items=message.items[middle:])
    return replace(message, items=message.items[:middle], more=True), replace(message, items=message.items[middle:])


def decode(frame: str | bytes) -> Message | Data:
    """What the frame says. Raises ProtocolViolation for everything that is neither a message nor data."""
    if isinstance(frame, bytes):
        return decode_data(frame)
    try:
        raw = frame.encode()
        if len(raw) > MAX_FRAME_BYTES:
            raise ProtocolViolation(f"A frame of {len(raw)} bytes is too big.", code="frame_too_big")
        # orjson refuses or rounds what could not be written again later: NaN, integers above 64 bits, lone surrogates.
        content = orjson.loads(raw)
        if not isinstance(content, dict) or any(isinstance(v, list) and len(v) > MAX_ITEMS for v in content.values()):
            raise ProtocolViolation(f"A message is an object with lists of at most {MAX_ITEMS} items.")
        raw = orjson.dumps(content)
        if b"\\u0000" in raw and _NUL.search(raw):
            raise ProtocolViolation("A frame must not contain the character NUL.")
        return _messages.validate_json(raw)
    except ValidationError as error:
        raise _violation(error) from error
    except (ValueError, TypeError) as error:
        raise ProtocolViolation("A text frame must be a JSON object.") from error


def desired_item(values: Mapping[str, Any]) -> DesiredItem:
    """An item that was kept in the words of the wire, under the limits that hold there.

    Raises ProtocolViolation, and TypeError or ValueError for what JSON can't say.
    """
    body = {"type": "desired", "epoch": 0, "revision": 0, "whole": False, "items": [values]}
    message = decode(orjson.dumps(body).decode())
    assert isinstance(message, Desired)  # noqa: S101 - narrows for the type checker
    return message.items[0]


def size_bytes(frame: str | bytes) -> int:
    """The frame's size on the wire."""
    return len(frame) if isinstance(frame, bytes) or frame.isascii() else len(frame.encode())


def protocol_range(frame: str | bytes) -> tuple[int, int] | None:
    """The versions named in a Hello that may be too new to be understood otherwise."""
    try:
        content = orjson.loads(frame) if len(frame) <= MAX_FRAME_BYTES else None
    except ValueError:
        return None
    if not isinstance(content, dict) or content.get("type") != "hello":
        return None
    lowest, highest = content.get("protocolMin"), content.get("protocolMax")
    return (lowest, highest) if isinstance(lowest, int) and isinstance(highest, int) else None


def decode_data(frame: bytes | memoryview) -> Data:
    """What a data frame says, copied out of it. Raises ProtocolViolation."""
    size = len(frame) - 4
    if size < 1 or size > MAX_PAYLOAD_BYTES:
        raise ProtocolViolation(f"A data frame carries 1 to {MAX_PAYLOAD_BYTES} bytes, not {size}.")
    return Data(int.from_bytes(frame[:4], "big"), bytes(frame[4:]))


def _violation(error: ValidationError) -> ProtocolViolation:
    if error.error_count() > 100:  # Telling them apart would take the loop's time, as much as the sender likes.
        return ProtocolViolation("Not a message: more than a hundred faults.")
    first: Any = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "union_tag_invalid":
        return ProtocolViolation(f"There is no message {first['ctx']['tag'][:64]!r}.", code="unknown_message")
    place = ".".join(str(part) for part in first["loc"])
    return ProtocolViolation(f"Not a message: {place}: {first['msg']}"[:500])
