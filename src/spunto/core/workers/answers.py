"""What nodes answer about a worker, as whoever asked should hear it: refusals by their code, log lines checked."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import orjson

from spunto.core.kernel.errors import (
    Conflict,
    Invalid,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    SpuntoError,
    Unavailable,
)
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.stream import Stream

# A line of 64 KiB, of which JSON may make six times as much.
MAX_LINE_BYTES = 512 * 1024
# What an agent gives of what was written before it was asked: 8 MiB, grown alike.
MAX_RAW_LOG_BYTES = 64 * 1024 * 1024
_MAX_TIME_CHARACTERS = 64
_AGAIN_SECONDS = 5.0
_KINDS: dict[str, type[SpuntoError]] = {
    "archive_entry_unusable": Invalid,
    "archive_unreadable": Invalid,
    "bad_stream_params": Invalid,
    "directory_not_empty": Conflict,
    "file_busy": Conflict,
    "file_exists": Conflict,
    "file_is_directory": Conflict,
    "file_not_directory": Conflict,
    "file_not_found": NotFound,
    "file_not_permitted": Conflict,
    "file_not_regular": Conflict,
    "file_on_other_disk": Conflict,
    "file_system_full": Conflict,
    "file_system_read_only": Conflict,
    "file_too_large": Conflict,
    "files_failed": Conflict,
    "path_unusable": Invalid,
    "session_lost": NotFound,
    "terminal_not_found": NotFound,
    # Agents of before show a terminal to one at a time.
    "terminal_taken": Conflict,
    "too_many_symlinks": Conflict,
    "tree_too_deep": Conflict,
}
_PASSING = frozenset(
    {
        "connection_lost",
        "engine_refused",
        "engine_unavailable",
        "files_out_of_reach",
        "holder_away",
        "node_offline",
        "stream_refused",
        "too_many_streams",
        "unknown_stream_kind",
    }
)


class WorkerNotRunning(Conflict):
    """Nothing can be had of a worker without a running container; starting it is the way out."""

    def __init__(self, message: str, **fields: str) -> None:
        super().__init__("worker_not_running", message, **fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """`at` is RFC 3339, `stream` stdout or stderr."""

    at: str
    stream: str
    line: str


@contextmanager
def as_asked() -> Iterator[None]:
    """Turn a node's reset of a stream into the error that the asker can act on."""
    try:
        yield
    except StreamReset as reset:
        raise refusal_of(reset) from reset


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[None]:
    """Bounds the wait for a node's answer, and turns its refusal into the asker's error."""
    try:
        with as_asked():
            async with asyncio.timeout(seconds):
                yield
    except TimeoutError as error:
        raise Unavailable("node_silent", "The node did not answer in time; try again.") from error


async def whole(stream: Stream, *, max_bytes: int) -> bytes:
    """All that the stream brings. Raises Unavailable `node_answer_unreadable` for more than that."""
    body = bytearray()
    while (piece := await stream.read()) is not None:
        body += piece
        if len(body) > max_bytes:
            raise unreadable()
    return bytes(body)


def refusal_of(reset: StreamReset) -> SpuntoError:
    """The error that the node meant; one that is not known here is the node's trouble, and may pass."""
    if reset.code in ("container_not_found", "worker_not_running"):
        return WorkerNotRunning("The worker's container does not run; start the worker first.")
    if reset.code == "worker_paused":
        message = (
            "Somebody paused the worker's container on its node; unpause it there, or stop the worker and start it."
        )
        return Conflict("worker_paused", message)
    if reset.code in ("too_many_terminals", "too_many_transfers"):
        return QuotaExceeded(reset.code, reset.message, retry_after_seconds=_AGAIN_SECONDS)
    if reset.code == "file_changed":
        return PreconditionFailed("precondition_failed", reset.message)
    kind = _KINDS.get(reset.code)
    if kind is not None:
        return kind(reset.code, reset.message)
    if reset.code in _PASSING:
        return Unavailable(reset.code, reset.message, retry_after_seconds=_AGAIN_SECONDS)
    # What a node says is not ours to vouch for: its code must not become one of the problem catalogue.
    return Unavailable("node_trouble", reset.message, retry_after_seconds=_AGAIN_SECONDS, nodeCode=reset.code)


async def log_lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[LogLine]:
    """The lines in a log's pieces. Raises Unavailable `node_answer_unreadable` for what is none."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield _line(line)
        if len(rest) > MAX_LINE_BYTES:
            raise unreadable()
    if rest:
        yield _line(rest)


async def at_most(pieces: AsyncIterator[bytes], *, max_bytes: int) -> AsyncIterator[bytes]:
    """The pieces of an answer that has an end. Raises Unavailable `node_answer_unreadable` for more than that."""
    left_bytes = max_bytes
    async for piece in pieces:
        left_bytes -= len(piece)
        if left_bytes < 0:
            raise unreadable()
        yield piece


def unreadable() -> Unavailable:
    return Unavailable("node_answer_unreadable", "The node's answer can't be understood; update its agent.")


def _line(raw: bytes) -> LogLine:
    try:
        entry = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise unreadable() from error
    match entry:
        case {"at": str(at), "stream": "stdout" | "stderr" as stream, "line": str(line)} if (
            len(at) <= _MAX_TIME_CHARACTERS and len(raw) <= MAX_LINE_BYTES
        ):
            return LogLine(at=at, stream=stream, line=line)
    raise unreadable()
