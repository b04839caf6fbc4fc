"""A lean WebSocket whose binary frames are anybody's bytes, and none of the session's."""

from typing import ClassVar, Final

from picows import WSFrame

from spunto.adapters.lean_websocket import LeanTransport

_PIECE_BYTES: Final = 32 * 1024


class LeanPipe(LeanTransport):
    """For clients that are trusted with less: past a few frames that nobody has taken no more is read than what the
    system holds of the connection by then, which its listener bounds."""

    largest_frame_bytes: ClassVar[int] = 128 * 1024
    most_unread_frames: ClassVar[int] = 8

    async def receive(self) -> str | bytes:
        """Small frames that have come together come as one, so that who sends bytes singly costs no more."""
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

    def _read(self, frame: WSFrame) -> bytes:
        return frame.get_payload_as_bytes()
