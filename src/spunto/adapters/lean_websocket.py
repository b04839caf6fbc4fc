"""WebSockets for many bytes: picows as a transport of the protocol, dialled, or on a connection that was taken over."""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Iterable
from typing import ClassVar, Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from picows.picows import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]  # its stubs leave it out

from spunto.core.protocol.codec import MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES, ProtocolViolation, decode_data
from spunto.core.protocol.messages import Data
from spunto.core.protocol.transport import TransportClosed

_LOST: Final = 1006
_BROKEN: Final = 1002
_UNSUPPORTED: Final = 1003
_READ_BUFFER_BYTES: Final = 2048
_MAX_UNSENT_BYTES: Final = 4 * MAX_PAYLOAD_BYTES
_CLOSE_SECONDS: Final = 1.0
# picows writes its head in front of the frame, into the same memory.
_ROOM: Final = bytearray(14)
# An adapter, because picows would make a logger for each connection; and it tells of each one that comes and goes.
_log: Final = logging.LoggerAdapter(logging.getLogger(__name__), {})
_log.setLevel(logging.ERROR)


class LeanTransport(WSListener):
    """Frames that nobody has taken yet stop the reading, and what the other side does not take stops the sending."""

    largest_frame_bytes: ClassVar[int] = MAX_FRAME_BYTES
    most_unread_frames: ClassVar[int] = 256

    def __init__(self) -> None:
        self._socket: WSTransport | None = None
        self._unread: deque[str | bytes | Data] = deque()
        self._is_paused = False
        self._is_full = False
        self._closed: TransportClosed | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    @property
    def is_connected(self) -> bool:
        return self._socket is not None and self._closed is None

    async def send(self, frame: str | bytes) -> None:
        if self._closed is not None or self._socket is None:
            raise self._closed or TransportClosed(_LOST, "connection lost")
        kind, data = (WSMsgType.TEXT, frame.encode()) if isinstance(frame, str) else (WSMsgType.BINARY, frame)
        if self._socket.is_client_side:
            self._socket.send(kind, data)
        else:
            # Its `send` lends the loop memory that the next frame overwrites, and uvloop sends later.
            self._socket.send_reuse_external_bytearray(kind, _ROOM + data, len(_ROOM))
        while self._is_full and self._closed is None:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    async def receive(self) -> str | bytes | Data:
        while not self._unread:
            if self._closed is not None:
                raise self._closed
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        frame = self._unread.popleft()
        self._go_on_reading()
        return frame

    def _go_on_reading(self) -> None:
        if self._is_paused and len(self._unread) < self.most_unread_frames // 2 and self._socket is not None:
            self._is_paused = False
            self._socket.underlying_transport.resume_reading()

    async def close(self, code: int, reason: str) -> None:
        if self._socket is None:
            return
        if self._closed is None:
            self._socket.send_close(code, reason.encode()[:100])  # type: ignore[arg-type]  # ours are beyond its enum
            self._end(TransportClosed(code, reason))
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                self._socket.disconnect()
                await self._socket.wait_disconnected()
        except Exception:  # noqa: BLE001 - what broke it has been its end already, and here it is let go of
            return
        finally:
            self._socket.disconnect(graceful=False)

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._socket = transport
        transport.underlying_transport.set_write_buffer_limits(high=_MAX_UNSENT_BYTES)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if transport.is_close_frame_sent:
            # picows has refused something, and reads on for a moment as if it had not.
            transport.disconnect(graceful=False)
        elif kind == WSMsgType.CLOSE:
            self._end(TransportClosed(int(frame.get_close_code()), frame.get_close_reason() or ""))  # type: ignore[call-overload]  # an int, that its stubs have as an enum
            transport.disconnect()
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._refuse(transport, _BROKEN, "no extension was agreed on")
        elif kind != WSMsgType.PONG:
            self._take(transport, frame)

    def _take(self, transport: WSTransport, frame: WSFrame) -> None:
        """Its memory is good during the call alone, and copied once."""
        if not frame.fin or frame.msg_type == WSMsgType.CONTINUATION:
            self._refuse(transport, _UNSUPPORTED, "frames in parts are not for here")
        elif frame.msg_type == WSMsgType.TEXT:
            self._put(transport, frame.get_payload_as_utf8_text())
        else:
            self._put(transport, self._read(frame))

    def _put(self, transport: WSTransport, piece: str | bytes | Data) -> None:
        self._unread.append(piece)
        if len(self._unread) >= self.most_unread_frames and not self._is_paused:
            self._is_paused = True
            transport.underlying_transport.pause_reading()
        self._wake_reader()

    def _read(self, frame: WSFrame) -> bytes | Data:
        try:
            return decode_data(frame.get_payload_as_memoryview())
        except ProtocolViolation:
            return frame.get_payload_as_bytes()  # the session says why it ends

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._end(TransportClosed(_LOST, "connection lost"))

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._wake_writer()

    def _refuse(self, transport: WSTransport, code: int, reason: str) -> None:
        transport.send_close(code, reason.encode())  # type: ignore[arg-type]  # as in `close`
        self._end(TransportClosed(code, reason))
        transport.disconnect()

    def _end(self, closed: TransportClosed) -> None:
        self._closed = self._closed or closed
        self._wake_reader()
        self._wake_writer()

    def _wake_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    def _wake_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None and not writer.done():
            writer.set_result(None)


async def dial(
    url: str, *, headers: Iterable[tuple[str, str]], proxy: str | None, seconds: float, context: ssl.SSLContext | None
) -> LeanTransport:
    """Connect; certificates are verified and redirects refused.

    Raises OSError, TimeoutError, and picows' WSError where the other side does not open.
    """
    async with asyncio.timeout(seconds):
        _, transport = await ws_connect(
            LeanTransport,
            url,
            ssl_context=context,
            websocket_handshake_timeout=seconds,
            logger_name=_log,
            max_frame_size=MAX_FRAME_BYTES,
            extra_headers=list(headers),
            max_redirects=0,
            proxy=proxy,
            read_buffer_init_size=_READ_BUFFER_BYTES,
        )
    if not isinstance(transport, LeanTransport):
        # picows takes an end before the answer for an opening that is over.
        raise ConnectionResetError("the other side ended it without an answer")
    return transport


def take_over(
    transport: asyncio.Transport, *, path: bytes, headers: Iterable[tuple[bytes, bytes]], unread: bytes
) -> LeanTransport | None:
    """Answer an upgrade whose head somebody else has read, with what came behind it; None where it is no good upgrade.

    It is answered in either case, and the transport is nobody else's any more.
    """
    taken = LeanTransport()
    return taken if put_on(transport, taken, path=path, headers=headers, unread=unread) else None


def put_on(
    transport: asyncio.Transport,
    taken: LeanTransport,
    *,
    path: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    unread: bytes,
) -> bool:
    """The same for one that is there already; False where it is no good upgrade."""
    protocol = WSProtocol(
        None,
        None,
        False,
        lambda _: taken,
        _log,
        True,
        None,
        False,
        1.0,
        1.0,
        WSAutoPingStrategy.PING_WHEN_IDLE,
        True,
        taken.largest_frame_bytes,
        None,
        _READ_BUFFER_BYTES,
    )
    # uvloop chooses how it reads when the reading begins.
    transport.pause_reading()
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    head = b"GET %b HTTP/1.1\r\n%b\r\n" % (path, b"".join(b"%b: %b\r\n" % each for each in headers))
    _feed(protocol, head + unread)
    if taken.is_connected and not transport.is_closing():
        transport.resume_reading()
        return True
    return False


def _feed(protocol: WSProtocol, data: bytes) -> None:
    while data:
        room = protocol.get_buffer(-1)
        size = min(len(room), len(data))
        room[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]
