"""The streams of one session: credit each way, order within a stream, turns between streams, half-close and reset.

Each side ends a stream with one Eof or Reset, and a Reset is answered unless the other side had ended before. So both
sides know exactly when the last frame of a stream has come, and may forget it. Controls are paid by credit like data.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from spunto.core.kernel.errors import Conflict, Unavailable
from spunto.core.protocol.buffer import StreamBuffer
from spunto.core.protocol.codec import MAX_PAYLOAD_BYTES, ProtocolViolation, encode, size_bytes
from spunto.core.protocol.events import Event, StreamEnd, StreamOpened, StreamReady
from spunto.core.protocol.messages import (
    Credit,
    Data,
    Eof,
    JsonObject,
    Limits,
    Message,
    Open,
    Reset,
    StreamControl,
    StreamMessage,
)

MAX_CONTROL_BYTES = 16 * 1024
MAX_RESETTING = 4096
_MIN_CONTROL_COST = 256


class StreamReset(Unavailable):
    """The other side gave the stream up; `code` and `message` are its own."""


@dataclass(frozen=True, slots=True)
class _Body:
    """A control that came in, and what it cost."""

    body: JsonObject
    cost: int


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame that must keep its place among the data; the last one of a stream ends it, or breaks it off."""

    text: str
    cost: int
    is_last: bool = False


@dataclass(slots=True)
class _Stream:
    id: int
    send_credit: int
    receive_window: int
    outbox: StreamBuffer[_Frame] = field(default_factory=StreamBuffer)
    inbox: StreamBuffer[_Body] = field(default_factory=StreamBuffer)
    unacknowledged: int = 0  # on the wire or beyond, not credited back
    ungranted: int = 0  # consumed here, not credited back
    has_turn: bool = False
    eof_written: bool = False
    sent_end: bool = False
    closing: bool = False
    breaking: bool = False
    peer_eof: bool = False
    peer_reset: Reset | None = None

    @property
    def peer_ended(self) -> bool:
        return self.peer_eof or self.peer_reset is not None


class Multiplexer:
    """Sans-IO: `post` takes control messages, `next_frame` gives what stands in the streams' own queues."""

    def __init__(self, *, first_id: int, limits: Limits, post: Callable[[Message], None]) -> None:
        self._limits = limits
        self._post = post
        self._next_id = first_id
        self._last_peer_id = 0
        self._streams: dict[int, _Stream] = {}
        self._resetting: dict[int, int] = {}  # what the peer may still have on its way to a stream that we reset
        self._turns: deque[_Stream] = deque()

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def has_turns(self) -> bool:
        return bool(self._turns)

    # What the application does

    def open(self, kind: str, params: JsonObject) -> int:
        """Begin a stream and give its id. Raises Unavailable `too_many_streams`."""
        if len(self._streams) >= self._limits.max_streams or len(self._resetting) >= MAX_RESETTING:
            raise Unavailable("too_many_streams", "Too many streams are open on this connection; try again later.")
        stream = self._add(self._next_id)
        self._next_id += 2
        self._post(Open(stream=stream.id, kind=kind, params=params))
        return stream.id

    def room(self, stream_id: int) -> int:
        """How many bytes `write` takes now. Raises StreamReset, and Conflict after our own end."""
        stream = self._writable(stream_id)
        return min(stream.send_credit, MAX_PAYLOAD_BYTES)

    def write(self, stream_id: int, data: bytes) -> None:
        """Queue data, not more than there is room for."""
        if not 0 < len(data) <= self.room(stream_id):
            raise ValueError("written more than there is room for")
        stream = self._streams[stream_id]
        stream.send_credit -= len(data)
        stream.outbox.add_bytes(data)
        self._schedule(stream)

    def write_control(self, stream_id: int, body: JsonObject) -> bool:
        """Queue a control behind the data written so far; False when there is no credit for it yet."""
        stream = self._writable(stream_id)
        text = encode(StreamControl(stream=stream_id, body=body))
        cost = max(size_bytes(text), _MIN_CONTROL_COST)
        if cost > MAX_CONTROL_BYTES:
            raise ValueError(f"a control inside a stream has at most {MAX_CONTROL_BYTES} bytes")
        if cost > stream.send_credit:
            return False
        stream.send_credit -= cost
        stream.outbox.add_word(_Frame(text, cost))
        self._schedule(stream)
        return True

    def write_eof(self, stream_id: int) -> None:
        """End our direction behind what was written; repeating, or after a reset, is harmless."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.eof_written or stream.peer_reset:
            return
        stream.eof_written = True
        stream.outbox.add_word(_Frame(encode(Eof(stream=stream_id)), 0, is_last=True))
        self._schedule(stream)

    def take(self, stream_id: int) -> bytes | JsonObject | StreamEnd | None:
        """The next piece that came in, None while there is none; taking gives the peer its credit back.

        A stream that we gave up has ended.
        """
        stream = self._streams.get(stream_id)
        if stream is None or stream.breaking:
            return StreamEnd()
        if not stream.inbox:
            if stream.peer_eof:
                return StreamEnd()
            return StreamEnd(stream.peer_reset) if stream.peer_reset else None
        piece = stream.inbox.pop()
        self._consumed(stream, len(piece) if isinstance(piece, bytes) else piece.cost)
        return piece if isinstance(piece, bytes) else piece.body

    def is_quiet(self, stream_id: int) -> bool:
        """Whether `take` would give None."""
        stream = self._streams.get(stream_id)
        return stream is not None and not stream.inbox and not stream.peer_ended

    def is_given_up(self, stream_id: int) -> bool:
        """Whether one of the sides has given the stream up."""
        stream = self._streams.get(stream_id)
        return stream is None or stream.breaking or stream.peer_reset is not None

    def reset(self, stream_id: int, code: str, message: str) -> None:
        """Give the stream up at once; what was not sent is dropped. Repeating is harmless."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.outbox.clear()
        if not (stream.peer_ended and (stream.sent_end or stream.peer_reset)):
            self._post(Reset(stream=stream_id, code=code, message=message))
        self._forget(stream)

    def break_off(self, stream_id: int, code: str, message: str) -> None:
        """Give the stream up behind what was written, so that it is told apart from an end; what comes in is dropped.

        Behind our own end it is a reset. Repeating is harmless.
        """
        stream = self._streams.get(stream_id)
        if stream is None or stream.breaking:
            return
        if stream.eof_written or stream.peer_reset:
            self.reset(stream_id, code, message)
            return
        stream.eof_written = stream.closing = stream.breaking = True
        stream.inbox.clear()
        stream.outbox.add_word(_Frame(encode(Reset(stream=stream_id, code=code, message=message)), 0, is_last=True))
        self._schedule(stream)

    def close(self, stream_id: int) -> None:
        """Give the stream up once all that was written is out; what comes in is dropped. Repeating is harmless."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.closing = True
        stream.inbox.clear()
        self.write_eof(stream_id)
        self._settle(stream)

    def next_frame(self) -> str | bytes | None:
        """The next frame of the stream whose turn it is."""
        while self._turns:
            stream = self._turns.popleft()
            if not stream.outbox:
                stream.has_turn = False
                continue
            self._turns.append(stream)
            piece = stream.outbox.pop()
            if isinstance(piece, bytes):
                stream.unacknowledged += len(piece)
                return encode(Data(stream.id, piece))
            stream.unacknowledged += piece.cost
            if piece.is_last:
                stream.sent_end = True
                self._settle(stream)
            return piece.text
        return None

    # What the peer does

    def is_paid(self, message: StreamMessage) -> bool:
        """Whether the message is bounded by a stream's life or credit, so that no rate limit is needed for it."""
        if message.stream not in self._streams and message.stream not in self._resetting:
            return False
        return not isinstance(message, Open) and not (
            isinstance(message, Credit) and message.bytes < self._limits.window_bytes // 2
        )

    def receive_data(self, stream_id: int, payload: bytes) -> list[Event]:
        stream = self._charge(stream_id, len(payload))
        if stream is None:
            return []
        if stream.closing:
            return []
        stream.inbox.add_bytes(payload)
        return [StreamReady(stream_id)]

    def receive(self, message: StreamMessage, *, size: int) -> list[Event]:
        """Take a control message about a stream. Raises ProtocolViolation."""
        if isinstance(message, Open):
            return self._receive_open(message)
        if isinstance(message, StreamControl):
            return self._receive_control(message, size)
        if isinstance(message, Eof | Reset) and self._resetting.pop(message.stream, None) is not None:
            return []
        stream = self._streams.get(message.stream)
        if stream is None:
            self._require_past(message.stream)
            return []
        if isinstance(message, Credit):
            return self._receive_credit(stream, message)
        if isinstance(message, Eof):
            return self._receive_eof(stream)
        return self._receive_reset(stream, message)

    def _receive_open(self, message: Open) -> list[Event]:
        if message.stream % 2 == self._next_id % 2 or message.stream <= self._last_peer_id:
            raise ProtocolViolation(f"Stream {message.stream} can't be opened by this side or again.")
        if len(self._resetting) >= MAX_RESETTING:
            raise ProtocolViolation("Too many resets were left unanswered.")
        self._last_peer_id = message.stream
        stream = self._add(message.stream)
        if len(self._streams) > self._limits.max_streams:
            self.reset(stream.id, "too_many_streams", "Too many streams are open on this connection.")
            return []
        return [StreamOpened(message.stream, message.kind, message.params)]

    def _receive_control(self, message: StreamControl, size: int) -> list[Event]:
        if size > MAX_CONTROL_BYTES:
            raise ProtocolViolation(f"A control inside a stream has at most {MAX_CONTROL_BYTES} bytes.")
        cost = max(size, _MIN_CONTROL_COST)
        stream = self._charge(message.stream, cost)
        if stream is None or stream.closing:
            return []
        stream.inbox.add_word(_Body(message.body, cost))
        return [StreamReady(message.stream)]

    def _receive_credit(self, stream: _Stream, message: Credit) -> list[Event]:
        if message.bytes > stream.unacknowledged:
            raise ProtocolViolation(f"Credit for more than was sent on stream {stream.id}.")
        stream.unacknowledged -= message.bytes
        stream.send_credit += message.bytes
        return [StreamReady(stream.id)]

    def _receive_eof(self, stream: _Stream) -> list[Event]:
        if stream.peer_ended:
            raise ProtocolViolation(f"Stream {stream.id} was ended twice.")
        stream.peer_eof = True
        self._settle(stream)
        return [StreamReady(stream.id)]

    def _receive_reset(self, stream: _Stream, message: Reset) -> list[Event]:
        if stream.peer_reset:
            raise ProtocolViolation(f"Stream {stream.id} was reset twice.")
        stream.peer_reset = message
        stream.outbox.clear()
        if not stream.sent_end:
            stream.sent_end = True
            self._post(Reset(stream=stream.id, code="reset"))
        self._settle(stream)
        return [StreamReady(stream.id)]

    def _charge(self, stream_id: int, cost: int) -> _Stream | None:
        """Take the cost off what the peer may send; None for a stream that we reset and the peer does not know yet."""
        stream = self._streams.get(stream_id)
        window = self._resetting.get(stream_id) if stream is None else stream.receive_window
        if window is None or (stream is not None and stream.peer_ended):
            raise ProtocolViolation(f"Stream {stream_id} is not open.")
        if cost > window:
            raise ProtocolViolation(f"More was sent on stream {stream_id} than there was credit for.")
        if stream is None:
            self._resetting[stream_id] = window - cost
        else:
            stream.receive_window = window - cost
        return stream

    def _require_past(self, stream_id: int) -> None:
        ours = stream_id % 2 == self._next_id % 2
        if stream_id >= self._next_id if ours else stream_id > self._last_peer_id:
            raise ProtocolViolation(f"Stream {stream_id} was never opened.")

    # Bookkeeping

    def _add(self, stream_id: int) -> _Stream:
        window = self._limits.window_bytes
        stream = self._streams[stream_id] = _Stream(stream_id, send_credit=window, receive_window=window)
        return stream

    def _writable(self, stream_id: int) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is not None and stream.peer_reset:
            raise StreamReset(stream.peer_reset.code, stream.peer_reset.message)
        if stream is None or stream.eof_written:
            raise Conflict("stream_ended", "Nothing can be written to a stream after its end.")
        return stream

    def _schedule(self, stream: _Stream) -> None:
        if not stream.has_turn:
            stream.has_turn = True
            self._turns.append(stream)

    def _consumed(self, stream: _Stream, cost: int) -> None:
        stream.ungranted += cost
        # Half a window at a time keeps credit frames rare; what is left is always enough for a frame to come.
        if stream.ungranted >= self._limits.window_bytes // 2 and not stream.peer_ended:
            self._post(Credit(stream=stream.id, bytes=stream.ungranted))
            stream.receive_window += stream.ungranted
            stream.ungranted = 0

    def _settle(self, stream: _Stream) -> None:
        if stream.closing and stream.sent_end:
            if not (stream.peer_ended or stream.breaking):
                self._post(Reset(stream=stream.id, code="closed"))
            self._forget(stream)

    def _forget(self, stream: _Stream) -> None:
        self._streams.pop(stream.id, None)
        if not stream.peer_ended:
            self._resetting[stream.id] = stream.receive_window
