"""A session on a transport: what reads, writes and keeps time, and who is called for what comes in.

Servers hold thousands of idle connections, so an idle one is a single task that reads and a timer."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from spunto.core.kernel.clock import Clock, Timer
from spunto.core.kernel.errors import Conflict, Forbidden, QuotaExceeded, SpuntoError, Unauthenticated, Unavailable
from spunto.core.protocol import closing
from spunto.core.protocol.events import Closed, Event, HelloReceived, MessageReceived, StreamOpened, StreamReady
from spunto.core.protocol.messages import Hello, JsonObject, StateMessage, Welcome
from spunto.core.protocol.multiplexer import Multiplexer
from spunto.core.protocol.session import Role, Session, SessionSettings
from spunto.core.protocol.stream import ConnectionLost, Stream
from spunto.core.protocol.transport import Transport, TransportClosed

OnMessage = Callable[["Connection", StateMessage], Awaitable[None]]
"""Called for one message at a time, in order. What it raises is reported and costs that message alone."""
OnStream = Callable[[Stream], Awaitable[None]]
"""Called in a task of its own for a stream that the peer opened; the stream is closed when it returns.

What it raises becomes the stream's reset, by its code if it is one of ours.
"""
OnError = Callable[[str, BaseException], None]
"""Told where something was raised that is nobody's answer."""
Accept = Callable[[Hello, int], Awaitable[Welcome]]
"""Gives the Welcome for a Hello and the protocol that both speak, or raises why not."""

_log = logging.getLogger(__name__)
_FRAMES_PER_TURN = 64
# Connections that keep time together wake the process once, not each for itself.
_BEATS_PER_SECOND = 16
_CLOSE_SECONDS = 5.0
_AGAIN_SECONDS = 5.0
_NOT_TAKEN_IN = "A message could not be taken in; the log of this side says why."
_CLOSE_CODES: tuple[tuple[type[SpuntoError], int], ...] = (
    (Unauthenticated, closing.UNAUTHENTICATED),
    (Forbidden, closing.FORBIDDEN),
    (Conflict, closing.SUPERSEDED),
    (QuotaExceeded, closing.BUSY),
    (Unavailable, closing.BUSY),
)


def log_error(where: str, error: BaseException) -> None:
    """Where nobody else wants to know."""
    _log.error("protocol_handler_failed: %s", where, exc_info=error)


class Connection:
    """One side of a session. `agent` and `server` make one, `run` owns everything that happens on it."""

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Clock,
        session: Session,
        settings: SessionSettings,
        on_message: OnMessage,
        on_error: OnError,
        on_stream: OnStream | None,
        accept: Accept | None,
    ) -> None:
        self._transport = transport
        # A session knows no time but that of its heartbeats.
        self._clock = clock.beats
        self._session = session
        self._settings = settings
        self._on_message = on_message
        self._on_error = on_error
        self._on_stream = on_stream
        self._accept = accept
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers = 0
        self._inbox: list[MessageReceived] = []
        self._inbox_bytes = 0
        self._is_delivering = False
        self._is_over = False
        self._group: asyncio.TaskGroup | None = None
        self._reading: asyncio.Timeout | None = None
        self._writer: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._waiting: list[asyncio.Future[None]] = []

    @classmethod
    def agent(
        cls,
        transport: Transport,
        *,
        clock: Clock,
        hello: Hello,
        on_message: OnMessage,
        on_error: OnError = log_error,
        on_stream: OnStream | None = None,
        settings: SessionSettings = SessionSettings(),  # noqa: B008 - frozen
    ) -> "Connection":
        """The side that dialled."""
        session = Session(Role.AGENT, now=clock.beats.monotonic(), hello=hello, settings=settings)
        return cls(
            transport,
            clock=clock,
            session=session,
            settings=settings,
            on_message=on_message,
            on_error=on_error,
            on_stream=on_stream,
            accept=None,
        )

    @classmethod
    def server(
        cls,
        transport: Transport,
        *,
        clock: Clock,
        accept: Accept,
        on_message: OnMessage,
        on_error: OnError = log_error,
        on_stream: OnStream | None = None,
        settings: SessionSettings = SessionSettings(),  # noqa: B008 - frozen
    ) -> "Connection":
        """The side that was dialled."""
        session = Session(Role.SERVER, now=clock.beats.monotonic(), settings=settings)
        return cls(
            transport,
            clock=clock,
            session=session,
            settings=settings,
            on_message=on_message,
            on_error=on_error,
            on_stream=on_stream,
            accept=accept,
        )

    @property
    def hello(self) -> Hello | None:
        return self._session.hello

    @property
    def welcome(self) -> Welcome | None:
        return self._session.welcome

    @property
    def closed(self) -> Closed | None:
        return self._session.closed

    @property
    def epoch(self) -> int:
        """The epoch of this connection, 0 before the Welcome."""
        return self._session.epoch

    @property
    def streams(self) -> Multiplexer:
        return self._session.streams

    @property
    def rtt_seconds(self) -> float | None:
        return self._session.rtt_seconds

    @property
    def idle_seconds(self) -> float:
        """For how long nothing was heard."""
        return self._clock.monotonic() - self._session.last_received_at

    async def ready(self) -> Welcome:
        """Wait for the end of the handshake. Raises ConnectionLost."""
        if self._session.welcome is None and self._session.closed is None:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting
        if self._session.welcome is None or self._session.closed:
            raise ConnectionLost
        return self._session.welcome

    def send(self, message: StateMessage) -> None:
        """Queue the message; never waits. Raises ConnectionLost."""
        self.require_open()
        self._session.send(message)
        self.flush()

    def open(self, kind: str, params: JsonObject) -> Stream:
        """Begin a stream. Raises ConnectionLost, and Unavailable `too_many_streams`."""
        self.require_open()
        stream = self._streams_add(self.streams.open(kind, params), kind, params)
        self.flush()
        return stream

    def close(self, code: int, reason: str, *, message: str = "", retry_after_seconds: float | None = None) -> None:
        """Say goodbye; `run` returns soon after. Repeating is harmless."""
        self._session.close(code, reason, message=message, retry_after_seconds=retry_after_seconds)
        self.flush()

    async def run(self) -> Closed:
        """Drive the session to its end and close the transport; handlers that still run are cancelled.

        Cancelling it does the same at once, without a goodbye.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._set_timer()
                self.flush()
                try:
                    await self._read_to_the_end()
                finally:
                    # Nothing is begun any more in a group that is about to end.
                    self._group = None
                for task in self._tasks:
                    task.cancel()
                if (writer := self._writer) is not None:
                    await asyncio.wait([writer], timeout=self._settings.flush_seconds)
                    writer.cancel()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            closed = self._lose(closing.NORMAL, "cancelled")
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._transport.close(closed.code, closed.reason)
        return closed

    def require_open(self) -> None:
        """Raises ConnectionLost before the handshake's end and after the session's."""
        if self._session.closed or self._session.welcome is None:
            raise ConnectionLost

    def flush(self) -> None:
        """Wake who has to act on what the session has become."""
        if self._session.has_frames and self._writer is None and self._group is not None:
            self._writer = self._group.create_task(self._write(), name="connection-write")
        if self._session.closed and not self._is_over:
            self._is_over = True
            if self._reading is not None:
                self._reading.reschedule(asyncio.get_running_loop().time())
            self._tell_ready()
            for stream in self._streams.values():
                stream.lose()

    def forget(self, stream_id: int) -> None:
        self._streams.pop(stream_id, None)

    def _own(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        assert self._group is not None  # noqa: S101 - only what was read begins work, and that is while `run` reads
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _streams_add(self, stream_id: int, kind: str, params: JsonObject) -> Stream:
        stream = self._streams[stream_id] = Stream(self, stream_id, kind, params)
        return stream

    def _lose(self, code: int, reason: str) -> Closed:
        closed = self._session.lose(code, reason)
        self.flush()
        return closed

    def _tell_ready(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting = []

    async def _write(self) -> None:
        """Send all there is; `flush` begins it again."""
        while (frame := self._session.next_frame(self._clock.monotonic())) is not None:
            try:
                await self._transport.send(frame)
            except TransportClosed as gone:
                self._lose(gone.code, gone.reason)
                return
        self._writer = None

    async def _read_to_the_end(self) -> None:
        """A timeout that nobody waits for lets `flush` end the reading without a task of its own."""
        try:
            async with asyncio.timeout(None) as self._reading:
                await self._read()
        except TimeoutError:
            if self._session.closed is None:
                raise
        finally:
            self._reading = None

    async def _read(self) -> None:
        frames = 0
        while self._session.closed is None:
            try:
                frame = await self._transport.receive()
            except TransportClosed as gone:
                self._lose(gone.code, gone.reason)
                return
            for event in self._session.receive(frame, self._clock.monotonic()):
                self._handle(event)
            self.flush()
            frames += 1
            if frames % _FRAMES_PER_TURN == 0:
                # A transport that always has a frame would never let others run.
                await asyncio.sleep(0)

    def _set_timer(self) -> None:
        tick_at = math.ceil(self._session.next_tick_at * _BEATS_PER_SECOND) / _BEATS_PER_SECOND
        self._timer = self._clock.call_later(max(0.0, tick_at - self._clock.monotonic()), self._keep_time)

    def _keep_time(self) -> None:
        self._session.tick(self._clock.monotonic())
        self.flush()
        if self._session.closed is None:
            self._set_timer()

    async def _deliver(self) -> None:
        while self._inbox:
            received = self._inbox.pop(0)
            self._inbox_bytes -= received.size_bytes
            try:
                await self._on_message(self, received.message)
            except Exception as error:  # noqa: BLE001 - edge of the loop: all is said again on the next connection
                if self._session.closed is None:
                    self._on_error(received.message.type, error)
                    self.close(
                        closing.BUSY, "internal_error", message=_NOT_TAKEN_IN, retry_after_seconds=_AGAIN_SECONDS
                    )
        self._is_delivering = False

    def _handle(self, event: Event) -> None:
        if isinstance(event, StreamReady):
            if stream := self._streams.get(event.stream):
                stream.wake()
        elif isinstance(event, StreamOpened):
            self._serve_stream(event)
        elif isinstance(event, MessageReceived):
            self._enqueue(event)
        elif isinstance(event, HelloReceived):
            self._own(self._answer(event), name="connection-accept")
        else:
            self._tell_ready()

    def _enqueue(self, event: MessageReceived) -> None:
        self._inbox_bytes += event.size_bytes
        if len(self._inbox) >= self._settings.inbox_messages or self._inbox_bytes > self._settings.inbox_bytes:
            self.close(closing.BUSY, "inbox_full", message="Messages come faster than they can be handled.")
        else:
            self._inbox.append(event)
            if not self._is_delivering:
                self._is_delivering = True
                self._own(self._deliver(), name="connection-deliver")

    async def _answer(self, event: HelloReceived) -> None:
        assert self._accept is not None  # noqa: S101 - only a server receives a Hello, and has it
        try:
            welcome = await self._accept(event.hello, event.protocol)
        except SpuntoError as error:
            code = next((code for kind, code in _CLOSE_CODES if isinstance(error, kind)), closing.BAD_PROTOCOL)
            retry_after_seconds: float | None = getattr(error, "retry_after_seconds", None)
            self.close(code, error.code, message=error.message, retry_after_seconds=retry_after_seconds)
        except Exception as error:  # noqa: BLE001 - edge of a request: the agent comes again
            self._on_error("hello", error)
            self.close(closing.BUSY, "internal_error", message="The server could not take the node in; see its log.")
        else:
            self._session.accept(welcome, self._clock.monotonic())
            self._tell_ready()
            self.flush()

    def _serve_stream(self, event: StreamOpened) -> None:
        if self._on_stream is None or self._handlers >= self._settings.handlers:
            self.streams.reset(event.stream, "stream_refused", "This side takes no (more) streams now.")
            return
        self._handlers += 1
        stream = self._streams_add(event.stream, event.kind, event.params)
        self._own(self._serve(self._on_stream, stream), name=f"stream-{event.kind}-{event.stream}")

    async def _serve(self, on_stream: OnStream, stream: Stream) -> None:
        try:
            await on_stream(stream)
        except Exception as error:  # noqa: BLE001 - edge of a request: a stream's failure is its own
            self._refuse(stream, _cause(error))
        finally:
            self._handlers -= 1
            await stream.aclose()

    def _refuse(self, stream: Stream, error: Exception) -> None:
        if isinstance(error, SpuntoError):
            stream.break_off(error.code, error.message)
        else:
            self._on_error(f"stream {stream.kind}", error)
            stream.break_off("internal_error", "Something went wrong at the other end; its log says what.")


def _cause(error: Exception) -> Exception:
    """What a handler's own task group wrapped; the first of several."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
