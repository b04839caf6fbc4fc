"""The JSON frames of terminals and logs: read strictly, written without detours."""

import base64
from typing import Any, Final

import orjson

from spunto.core.kernel.errors import Malformed

MAX_INPUT_BYTES: Final = 64 * 1024
LARGEST_SIDE: Final = 4096


def text_of(frame: dict[str, Any]) -> str:
    return orjson.dumps(frame).decode()


def output_text(data: bytes, *, offset: int) -> str:
    """By hand, because there is one for each keystroke and base64 needs no escapes."""
    return f'{{"type":"output","data":"{base64.b64encode(data).decode()}","offset":{offset}}}'


def asked_by(message: str | bytes) -> bytes | tuple[int, int]:
    """Input, or columns and rows. Raises Malformed `bad_frame`."""
    match _json(message):
        case {"type": "input", "data": str(data), **rest} if not rest:
            return _input(data)
        case {"type": "resize", "cols": int(cols), "rows": int(rows), **rest} if not rest:
            if 1 <= cols <= LARGEST_SIDE and 1 <= rows <= LARGEST_SIDE:
                return cols, rows
            raise _bad(f"cols and rows are 1 to {LARGEST_SIDE}.")
    raise _bad("A frame is {type: input, data} or {type: resize, cols, rows}.")


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
    if len(decoded) > MAX_INPUT_BYTES:
        raise _bad(f"An input frame carries at most {MAX_INPUT_BYTES} bytes.")
    return decoded


def _bad(message: str) -> Malformed:
    return Malformed("bad_frame", message)
