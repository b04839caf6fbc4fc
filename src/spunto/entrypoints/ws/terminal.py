"""The door to a worker's terminal and live log: JSON frames outside, the node's stream inside."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from quart import Blueprint, Websocket, g, websocket

from spunto.core.access.model import Actor
from spunto.core.access.policy import Action
from spunto.core.access.standing import Standing
from spunto.core.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    QuotaExceeded,
    SpuntoError,
    Unauthenticated,
    Unavailable,
)
from spunto.core.kernel.ids import is_id
from spunto.core.protocol.closing import BUSY, NORMAL
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.stream import Stream
from spunto.core.workers.answers import as_asked, log_lines, refusal_of, unreadable
from spunto.core.workers.factory import not_found
from spunto.core.workers.model import WorkerId
from spunto.core.workers.reach import WorkerReach
from spunto.core.workers.terminals import TerminalWish, WorkerTerminals
from spunto.entrypoints.serving.limits import Gate, Limit
from spunto.entrypoints.ws.frames import FRAMES, LARGEST_SIDE, Frames, text_of
from spunto.entrypoints.ws.sockets import Sockets, close_quietly

GREETING_SECONDS: Final = 30.0
# A program that reads none of its input for so long has to be stopped by other means than typing.
INPUT_SECONDS: Final = 60.0
FAREWELL_SECONDS: Final = 2.0
MOVES_SECONDS: Final = 10.0
INTERNAL_ERROR: Final = 1011
_CLOSE_CODES: Final[Sequence[tuple[type[SpuntoError], int]]] = (
    (Malformed, 4400),
    (Unauthenticated, 4401),
    (Forbidden, 4403),
    (NotFound, 4404),
    (Conflict, 4409),
    (Invalid, 4422),
    (QuotaExceeded, 4429),
)

log = structlog.get_logger()

Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
SessionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class TerminalQuery(BaseModel):
    """What may stand in the query of the upgrade."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["terminal", "logs"] = "terminal"
    cols: Side = 80
    rows: Side = 24
    session: Annotated[str, Field(max_length=128)] | None = None
    name: SessionName | None = None
    offset: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    frames: Literal["json", "binary"] = "json"
    tail: Annotated[int, Field(ge=1, le=10_000)] = 200


def terminal_blueprint(
    gate: Gate, reach: WorkerReach, terminals: WorkerTerminals, sockets: Sockets, standing: Standing
) -> Blueprint:
    routes = Blueprint("terminal", __name__)

    @routes.websocket("/api/workers/<worker_id>/terminal")
    async def terminal(worker_id: WorkerId) -> None:
        # The object behind Quart's context, because the tasks below have no request context.
        socket = websocket._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's only way
        request_id = g.request_id
        actor = await gate.admit_socket(socket.headers, request_id=request_id, peer=socket.remote_addr)
        g.actor = actor
        if not is_id(worker_id, "wkr"):
            raise not_found(worker_id)
        asked = _query(socket)
        gate.limits.take(Limit.ENTER, actor.credential_id)

        async def check() -> Actor:
            again = await gate.doorkeeper.admit_socket(socket.headers, request_id=request_id)
            await reach.may_stay(again, worker_id, _action_of(asked))
            return again

        g.actor, g.action, g.target_id = actor, _action_of(asked), worker_id
        async with _refused_at_home(reach, worker_id), await _open(reach, terminals, actor, worker_id, asked) as stream:
            # What the node refuses is refused before the upgrade, as a problem.
            ready = await _greeting(stream) if asked.mode == "terminal" else None
            with sockets.registered(socket):
                await socket.accept()
                checking = standing.watch(actor, check)
                if ready is None:
                    await _serve(socket, _tell_log(socket, stream), _pass_over(socket), checking)
                else:
                    moves, frames = _Moves(terminals, worker_id), FRAMES[asked.frames]
                    showing = _show(socket, stream, frames, ready, moves)
                    typing = _type(socket, stream, frames, moves)
                    await _serve(socket, showing, typing, checking)

    return routes


def _action_of(asked: TerminalQuery) -> Action:
    return Action.WORKER_ENTER if asked.mode == "terminal" else Action.WORKER_READ_OUTPUT


@asynccontextmanager
async def _refused_at_home(reach: WorkerReach, worker_id: WorkerId) -> AsyncIterator[None]:
    """The worker is named without its organization, which a refusal is recorded in."""
    try:
        yield
    except (Forbidden, NotFound):
        g.org_id = await reach.home_of(worker_id)
        raise


async def _open(
    reach: WorkerReach, terminals: WorkerTerminals, actor: Actor, worker_id: WorkerId, asked: TerminalQuery
) -> Stream:
    if asked.mode == "logs":
        return await reach.open_logs(actor, worker_id, tail=asked.tail)
    wish = TerminalWish(cols=asked.cols, rows=asked.rows, session=asked.session, name=asked.name, offset=asked.offset)
    return await terminals.open(actor, worker_id, wish)


async def _greeting(stream: Stream) -> dict[str, Any]:
    """The frame that says which terminal this is. Raises what the node refuses with."""
    try:
        with as_asked():
            async with asyncio.timeout(GREETING_SECONDS):
                piece = await stream.next()
    except TimeoutError as error:
        raise Unavailable("node_silent", "The node did not answer in time; try again.") from error
    match piece:
        case {"session": str(session), "offset": int(offset)}:
            return {"type": "ready", "session": session, "offset": offset}
    raise unreadable()


async def _serve(socket: Websocket, *work: Coroutine[Any, Any, None]) -> None:
    """Do all of it at once; what ends or fails first ends the rest, and decides the close code."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
    except ExceptionGroup as failed:
        await _end_with(socket, failed.exceptions[0])
    else:
        await close_quietly(socket, NORMAL, "")


async def _end_with(socket: Websocket, error: Exception) -> None:
    if isinstance(error, StreamReset):
        error = refusal_of(error)
    if not isinstance(error, SpuntoError):
        log.error("terminal_failed", exc_info=error)
        await close_quietly(socket, INTERNAL_ERROR, "internal_error")
        return
    # Whoever reads nothing gets no farewell either.
    with suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_SECONDS):
            await socket.send(text_of({"type": "error", "code": error.code, "message": error.message}))
    await close_quietly(socket, close_code_of(error), error.code)


def close_code_of(error: SpuntoError) -> int:
    """4000 and the HTTP status of the same refusal; 1013 for what may have passed when the client comes back."""
    if error.code == "worker_not_running":
        return NORMAL
    return next((code for kind, code in _CLOSE_CODES if isinstance(error, kind)), BUSY)


class _Moves:
    """Tells now and then that the terminal is used: one that is open, and in which nothing moves, is not."""

    def __init__(self, terminals: WorkerTerminals, worker_id: WorkerId) -> None:
        self._terminals = terminals
        self._worker_id = worker_id
        self._told_at = asyncio.get_running_loop().time()

    async def note(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= MOVES_SECONDS:
            self._told_at = now
            await self._terminals.note(self._worker_id)


async def _show(socket: Websocket, stream: Stream, frames: Frames, ready: dict[str, Any], moves: _Moves) -> None:
    """Output as it comes; a slow browser holds `send`, and with it the stream's credit."""
    await socket.send(text_of(ready))
    offset = ready["offset"]
    while (piece := await stream.next()) is not None:
        if isinstance(piece, bytes):
            await socket.send(frames.output(piece, offset=offset))
            offset += len(piece)
            await moves.note()
            continue
        match piece:
            case {"exit": int(code)}:
                await socket.send(text_of({"type": "exit", "code": code}))
            case {"size": [int(cols), int(rows)]}:
                await socket.send(text_of({"type": "size", "cols": cols, "rows": rows}))
            case {"lost": int(lost_bytes), "offset": int(goes_on_at)}:
                offset = goes_on_at
                await socket.send(text_of({"type": "lost", "bytes": lost_bytes, "offset": offset}))


async def _type(socket: Websocket, stream: Stream, frames: Frames, moves: _Moves) -> None:
    while True:
        asked = frames.asked(await socket.receive())
        await moves.note()
        try:
            async with asyncio.timeout(INPUT_SECONDS):
                if isinstance(asked, bytes):
                    await stream.write(asked)
                else:
                    await stream.send_control({"resize": [asked.cols, asked.rows], "take": asked.takes})
        except TimeoutError as error:
            raise Unavailable("terminal_input_stuck", "Nothing in the terminal reads what was typed.") from error


async def _tell_log(socket: Websocket, stream: Stream) -> None:
    """One frame a line: `{type: "line", at, stream, line}`."""
    async for line in log_lines(_pieces(stream)):
        await socket.send(text_of({"type": "line", **asdict(line)}))


async def _pieces(stream: Stream) -> AsyncIterator[bytes]:
    while (piece := await stream.read()) is not None:
        yield piece


async def _pass_over(socket: Websocket) -> None:
    """What a follower of a log says means nothing, but has to be taken off."""
    while True:
        await socket.receive()


def _query(socket: Websocket) -> TerminalQuery:
    try:
        given = {name: values[0] if len(values) == 1 else values for name, values in socket.args.lists()}
        return TerminalQuery.model_validate(given)
    except ValidationError as error:
        places = [{"pointer": f"/{each['loc'][0]}", "message": each["msg"]} for each in error.errors()]
        message = "Some query parameters are not what they should be; see `errors`."
        raise Malformed("invalid_query", message, errors=places) from error
