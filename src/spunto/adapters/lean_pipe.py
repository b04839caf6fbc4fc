"""A lean WebSocket whose binary frames are anybody's bytes, and none of the session's."""

from typing import ClassVar, Final

from picows import WSFrame, WSMsgType, WSTransport

from spunto.adapters.lean_websocket import LeanTransport

_PIECE_BYTES: Final = 32 * 1024
_NO_END: Final = "no end"


class LeanPipe(LeanTransport):
    """For clients that are trusted with less: past a few frames that nobody has taken no more is read than what the
    system holds of the connection by then, which its listener bounds."""

    largest_frame_bytes: ClassVar[int] = 128 * 1024
    most_unread_frames: ClassVar[int] = 8

    def __init__(self) -> None:
        super().__init__()
        self._begun: WSMsgType | None = None
        """The kind of the message whose parts are coming."""

    async def receive(self) -> str | bytes:
        """Small frames that have come together come as one, so that who sends bytes singly costs no more.

        Text is empty, or something that was not for here.
        """
        first = await super().receive()
        if not isinstance(first, bytes):
            return str(first)
        pieces, size = [first], len(first)
        while size < _PIECE_BYTES and self._unread and isinstance(following := self._unread[0], bytes):
            self._unread.popleft()
            pieces.append(following)
            size += len(following)
        self._go_on_reading()
        return b"".join(pieces)

    def _take(self, transport: WSTransport, frame: WSFrame) -> None:
        """Of a message in parts each part is passed on by itself: bytes have no bounds here."""
        is_part = frame.msg_type == WSMsgType.CONTINUATION
        if is_part == (self._begun is None):
            self._put(transport, _NO_END)
            return
        begun = self._begun if is_part else frame.msg_type
        self._begun = None if frame.fin else begun
        data = frame.get_payload_as_bytes()
        if begun == WSMsgType.BINARY:
            self._put(transport, data)
        elif data or frame.fin:
            self._put(transport, _NO_END if data else "")
