"""The frames of terminals and logs, read strictly and written without detours; no door's business is in them."""

import base64
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import orjson

from spunto.core.kernel.errors import Malformed

MAX_INPUT_BYTES: Final = 64 * 1024
LARGEST_SIDE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """`takes`: it holds for everybody who looks at the terminal, whatever they can show."""

    cols: int
    rows: int
    takes: bool


class Frames(Protocol):
    """How what is typed and said travels; all else is JSON in text messages."""

    def output(self, data: bytes, *, offset: int) -> str | bytes: ...

    def asked(self, message: str | bytes) -> bytes | Resize:
        """Input, or a new size. Raises Malformed `bad_frame`."""


class JsonFrames:
    """Everything is text, and bytes are base64 in it."""

    def output(self, data: bytes, *, offset: int) -> str:
        # By hand, because there is one for each keystroke and base64 needs no escapes.
        return f'{{"type":"output","data":"{base64.b64encode(data).decode()}","offset":{offset}}}'

    def asked(self, message: str | bytes) -> bytes | Resize:
        match _json(message):
            case {"type": "input", "data": str(data), **rest} if not rest:
                return _input(data)
            case {"type": "resize"} as resize:
                return _resize(resize)
        raise _bad("A frame is {type: input, data} or {type: resize, cols, rows}.")


class BinaryFrames:
    """Binary messages are what is typed and said, as it is; output goes on where `ready` and `lost` said."""

    def output(self, data: bytes, *, offset: int) -> bytes:
        return data

    def asked(self, message: str | bytes) -> bytes | Resize:
        if isinstance(message, bytes):
            return _bounded(message)
        match _json(message):
            case {"type": "resize"} as resize:
                return _resize(resize)
        raise _bad("A frame is binary input, or {type: resize, cols, rows} as text.")


FRAMES: Final[dict[Literal["json", "binary"], Frames]] = {"json": JsonFrames(), "binary": BinaryFrames()}


def text_of(frame: dict[str, Any]) -> str:
    return orjson.dumps(frame).decode()


def _resize(frame: dict[str, Any]) -> Resize:
    match frame:
        case {"cols": int(cols), "rows": int(rows), **rest} if rest.keys() <= {"type", "take"}:
            takes = rest.get("take", False)
            if 1 <= cols <= LARGEST_SIDE and 1 <= rows <= LARGEST_SIDE and isinstance(takes, bool):
                return Resize(cols=cols, rows=rows, takes=takes)
    raise _bad(f"A resize has cols and rows from 1 to {LARGEST_SIDE}, and may have take as true or false.")


def _json(message: str | bytes) -> Any:
    if isinstance(message, bytes):
        raise _bad("Frames are text messages.")
    try:
        return orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise _bad("A frame is a JSON object.") from error


def _input(data: str) -> bytes:
    try:
        decoded = base64.b64decode(data, validate=True)
    except ValueError as error:  # binascii.Error, or text that is not ASCII
        raise _bad("The data of an input frame is base64.") from error
    return _bounded(decoded)


def _bounded(typed: bytes) -> bytes:
    if len(typed) > MAX_INPUT_BYTES:
        raise _bad(f"An input frame carries at most {MAX_INPUT_BYTES} bytes.")
    return typed


def _bad(message: str) -> Malformed:
    return Malformed("bad_frame", message)
