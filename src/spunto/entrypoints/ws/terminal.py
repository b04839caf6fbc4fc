"""The door to a worker's terminal and live log: JSON frames outside, the node's stream inside (contract.md 4)."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Final, Literal

import orjson
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from quart import Blueprint, Websocket, g, websocket

from spunto.core.access.model import Actor
from spunto.core.access.policy import Action
from spunto.core.access.service import AccessService
from spunto.core.kernel.errors import Malformed, SpuntoError, Unauthenticated, Unavailable
from spunto.core.protocol.closing import BUSY, FORBIDDEN, NORMAL, UNAUTHENTICATED
from spunto.core.protocol.stream import ConnectionLost, Stream
from spunto.core.workers.model import WorkerId
from spunto.core.workers.reach import WorkerReach
from spunto.entrypoints.security import Doorkeeper, PublicAddress
from spunto.entrypoints.ws.sockets import Sockets, close_quietly

RECHECK_SECONDS: Final = 30.0
MAX_INPUT_BYTES: Final = 64 * 1024
MAX_LINE_BYTES: Final = 128 * 1024
_BAD_FRAME: Final = 4400
# Passing troubles, after which the same attach may work: the client is to come back.
_PASSING: Final = frozenset({"connection_lost", "node_offline", "engine_unavailable", "too_many_streams"})

log = structlog.get_logger()

Side = Annotated[int, Field(ge=1, le=4096)]


class TerminalQuery(BaseModel):
    """What may stand in the query of the upgrade."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["terminal", "logs"] = "terminal"
    cols: Side = 80
    rows: Side = 24
    session: Annotated[str, Field(max_length=128)] | None = None
    offset: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    tail: Annotated[int, Field(ge=1, le=10_000)] = 200


def terminal_blueprint(
    access: AccessService, reach: WorkerReach, address: PublicAddress, sockets: Sockets
) -> Blueprint:
    routes = Blueprint("terminal", __name__)
    doorkeeper = Doorkeeper(access, address)

    @routes.websocket("/api/workers/<worker_id>/terminal")
    async def terminal(worker_id: WorkerId) -> None:
        asked = _query()
        actor = await doorkeeper.admit_socket(websocket.headers, request_id=g.request_id)
        socket = websocket._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's only way
        headers = websocket.headers

        async def recheck() -> None:
            again = await doorkeeper.admit_socket(headers, request_id=actor.request_id)
            action = Action.WORKER_ENTER if asked.mode == "terminal" else Action.WORKER_READ
            await reach.may_stay(again, worker_id, action)

        async with await _open(reach, actor, worker_id, asked) as stream:
            await socket.accept()
            with sockets.registered(socket):
                relay = _relay_terminal if asked.mode == "terminal" else _relay_logs
                await _serve(socket, relay(socket, stream), recheck)

    return routes


async def _open(reach: WorkerReach, actor: Actor, worker_id: WorkerId, asked: TerminalQuery) -> Stream:
    if asked.mode == "logs":
        return await reach.open_logs(actor, worker_id, tail=asked.tail)
    return await reach.open_terminal(
        actor, worker_id, cols=asked.cols, rows=asked.rows, session=asked.session, offset=asked.offset
    )


async def _serve(socket: Websocket, relay: Awaitable[None], recheck: Callable[[], Awaitable[None]]) -> None:
    """Relay to the end, with a right that is checked again and again; every end has its close code."""
    try:
        async with asyncio.TaskGroup() as group:
            checking = group.create_task(_recheck_forever(recheck), name="terminal right")
            await relay
            checking.cancel()
    except* SpuntoError as errors:
        error = errors.exceptions[0]
        assert isinstance(error, SpuntoError)  # noqa: S101 - one error in the group, as each task ends the others
        await _end_with(socket, error)
    except* Exception as errors:
        log.error("terminal_failed", exc_info=errors)
        await close_quietly(socket, 1011, "internal_error")
    else:
        await close_quietly(socket, NORMAL, "")


async def _recheck_forever(recheck: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(RECHECK_SECONDS)
        await recheck()


async def _end_with(socket: Websocket, error: SpuntoError) -> None:
    await _send(socket, {"type": "error", "code": error.code, "message": error.message})
    await close_quietly(socket, _close_code(error), error.code)


def _close_code(error: SpuntoError) -> int:
    if isinstance(error, Unauthenticated):
        return UNAUTHENTICATED
    if isinstance(error, Malformed):
        return _BAD_FRAME
    if isinstance(error, ConnectionLost) or error.code in _PASSING:
        return BUSY
    return NORMAL if isinstance(error, Unavailable) else FORBIDDEN


async def _relay_terminal(socket: Websocket, stream: Stream) -> None:
    async with asyncio.TaskGroup() as group:
        typing = group.create_task(_type(socket, stream), name="terminal input")
        await _show(socket, stream)
        typing.cancel()


async def _show(socket: Websocket, stream: Stream) -> None:
    """Output as it comes; a slow browser holds `send`, and with it the stream's credit."""
    offset = 0
    while (piece := await stream.next()) is not None:
        if isinstance(piece, bytes):
            data = base64.b64encode(piece).decode()
            await socket.send(f'{{"type":"output","data":"{data}","offset":{offset}}}')
            offset += len(piece)
        elif "session" in piece:
            offset = int(piece["offset"])
            await _send(socket, {"type": "ready", "session": piece["session"], "offset": offset})
        elif "exit" in piece:
            await _send(socket, {"type": "exit", "code": piece["exit"]})


async def _type(socket: Websocket, stream: Stream) -> None:
    while True:
        frame = _frame(await socket.receive())
        match frame:
            case {"type": "input", "data": str(data)}:
                await stream.write(_input(data))
            case {"type": "resize", "cols": int(cols), "rows": int(rows)}:
                await stream.send_control({"resize": [cols, rows]})
            case _:
                raise Malformed("bad_frame", "A frame is {type: input, data} or {type: resize, cols, rows}.")


def _frame(message: str | bytes) -> Any:
    try:
        return orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise Malformed("bad_frame", "A frame is a JSON object in a text message.") from error


def _input(data: str) -> bytes:
    try:
        decoded = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise Malformed("bad_frame", "The data of an input frame is base64.") from error
    if len(decoded) > MAX_INPUT_BYTES:
        raise Malformed("bad_frame", f"An input frame carries at most {MAX_INPUT_BYTES} bytes.")
    return decoded


async def _relay_logs(socket: Websocket, stream: Stream) -> None:
    """One frame a line: `{type: "line", at, stream, line}`. What a follower says is read and passed over."""
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(_pass_over(socket), name="log follower")
        async for line in _lines(stream):
            await _send(socket, {"type": "line", **orjson.loads(line)})
        listening.cancel()


async def _lines(stream: Stream) -> AsyncIterator[bytes]:
    rest = b""
    while (piece := await stream.read()) is not None:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > MAX_LINE_BYTES:
            raise Unavailable("node_answer_unreadable", "The node sent a log line without an end.")
    if rest:
        yield rest


async def _pass_over(socket: Websocket) -> None:
    while True:
        await socket.receive()


async def _send(socket: Websocket, frame: dict[str, Any]) -> None:
    await socket.send(orjson.dumps(frame).decode())


def _query() -> TerminalQuery:
    try:
        return TerminalQuery.model_validate(websocket.args.to_dict())
    except ValidationError as error:
        places = [{"pointer": f"/{each['loc'][0]}", "message": each["msg"]} for each in error.errors()]
        message = "Some query parameters are not what they should be; see `errors`."
        raise Malformed("invalid_query", message, errors=places) from error
