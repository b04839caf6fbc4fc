"""WebSockets to a worker: dialling with the token, and which ends of a connection are final."""

import asyncio
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from spunto.client.api import Api
from spunto.client.errors import NotNow, Problem, ServerUnreachable, SpuntoApiError, UnexpectedAnswer, error_of
from spunto.core.kernel.errors import SpuntoError

_LARGEST_FRAME_BYTES = 2 * 1024 * 1024
_NORMAL = 1000
_POLICY = 1008
_CLOSING_SECONDS = 2.0
# What stands before the server says so while that is started again.
_OF_GATEWAYS = (502, 504)


class Ending(Enum):
    """What the end of a connection means."""

    FINISHED = "the server said all it had to say"
    REFUSED = "the server doesn't want this client to come back"
    LOST = "dial again and go on"


def ending_of(close_code: int | None) -> Ending:
    """What a close code says; None where the connection broke without one."""
    if close_code == _NORMAL:
        return Ending.FINISHED
    if close_code is not None and (close_code == _POLICY or 4400 <= close_code < 4500):
        return Ending.REFUSED
    return Ending.LOST


def status_of(close_code: int | None) -> int:
    """The HTTP status that says the same as a close code: 44xx are 4xx in disguise."""
    match ending_of(close_code):
        case Ending.LOST:
            return 503
        case Ending.FINISHED:
            return 409
    return 403 if close_code is None or close_code == _POLICY else close_code - 4000


def close_code_of(closed: ConnectionClosed) -> int | None:
    return None if closed.rcvd is None else closed.rcvd.code


def refusal(closed: ConnectionClosed) -> SpuntoError:
    """The exception for a connection that the server closed without an answer."""
    reason = "" if closed.rcvd is None else closed.rcvd.reason
    frame = {"code": "connection_closed", "message": reason or "The server closed the connection."}
    return error_in(frame, status=status_of(close_code_of(closed)))


async def reported(connection: ClientConnection, frame: Mapping[str, Any]) -> SpuntoError:
    """The exception for an `error` frame. The close code behind it says whether to come back."""
    try:
        async with asyncio.timeout(_CLOSING_SECONDS):
            await connection.wait_closed()
    except TimeoutError:
        await connection.close()
    return error_in(frame, status=status_of(connection.close_code))


async def dial(api: Api, path: str, params: Mapping[str, Any]) -> ClientConnection:
    """An open WebSocket. Raises SpuntoApiError as HTTP would, and ServerUnreachable."""
    query = urlencode({k: v for k, v in params.items() if v is not None})
    return await opened(api, f"{api.url}{path}?{query}", proxy=api.proxy, place=api.place)


async def opened(api: Api, url: str, *, place: str, **more: Any) -> ClientConnection:
    """The same to an http or https URL of its own; `more` is what `api.connect` takes, and `place` is for people."""
    # http becomes ws, https becomes wss.
    url = f"ws{url.removeprefix('http')}"
    try:
        connection: ClientConnection = await api.connect(
            url,
            additional_headers={"Authorization": f"Bearer {api.token.reveal()}"},
            # Keystrokes are too small to compress, and waiting for a window would delay them.
            compression=None,
            max_size=_LARGEST_FRAME_BYTES,
            close_timeout=2,
            ping_interval=15,
            **{"open_timeout": api.timeout_seconds, "ping_timeout": 30, **more},
        )
    except InvalidStatus as error:
        answer = error.response
        headers = {name.lower(): value for name, value in answer.headers.raw_items()}
        raise error_of(answer.status_code, headers, bytes(answer.body or b"")) from error
    except (OSError, TimeoutError, ImportError, InvalidHandshake) as error:
        raise ServerUnreachable("server_unreachable", f"Can't reach {place}: {error}") from error
    return connection


def frame_of(message: str | bytes) -> dict[str, Any]:
    """A JSON frame. Raises UnexpectedAnswer for anything else."""
    try:
        frame = json.loads(message)
    except ValueError as error:
        raise UnexpectedAnswer("unexpected_answer", "The server sent a frame that is not JSON.") from error
    if not isinstance(frame, dict):
        raise UnexpectedAnswer("unexpected_answer", "The server sent a frame that is no object.")
    return frame


def is_passing(error: SpuntoError) -> bool:
    """Whether the same dial may succeed a little later."""
    if isinstance(error, SpuntoApiError) and error.status in _OF_GATEWAYS:
        return True
    return isinstance(error, ServerUnreachable | NotNow)


def error_in(frame: Mapping[str, Any], *, status: int) -> SpuntoError:
    """The exception for an `error` frame, as the same refusal over HTTP would be."""
    code, message = str(frame.get("code", "error")), str(frame.get("message", "The server reported an error."))
    problem = Problem(code=code, status=status, title=message, detail=message)
    return error_of(status, {}, problem.model_dump_json(by_alias=True).encode())
