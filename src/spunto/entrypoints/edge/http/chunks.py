"""Chunked bodies, read strictly. httptools reads them too, but never says at which byte the message ended."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from spunto.entrypoints.edge.http.malformed import MalformedMessage
from spunto.entrypoints.edge.seams import Headers

MAX_SIZE_LINE_BYTES: Final = 1024
MAX_TRAILER_BYTES: Final = 8 * 1024
END: Final = b"0\r\n\r\n"

_EXTENSION: Final = rb"(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?"
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})" + _EXTENSION)
_FIELD: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)[ \t]*"
)
_NEEDS_MORE: Final = -1


class ChunkReader:
    """Takes a body's bytes in pieces of any size; extensions are dropped."""

    def __init__(self) -> None:
        self.is_over = False
        self.has_begun = False
        """Whether a size was read."""
        self.trailers: list[tuple[bytes, bytes]] = []
        self._held = b""
        self._left = 0
        self._in_chunk = False
        self._in_trailers = False
        self._trailer_bytes = 0

    def take(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        """The content in these bytes, and what came behind the end. Raises MalformedMessage."""
        if self._held:
            data, self._held = self._held + data, b""
        content: list[bytes] = []
        at = 0
        while not self.is_over:
            begin = at
            at = self._content(data, at, content) if self._in_chunk else self._line(data, at)
            if at == _NEEDS_MORE:
                self._held = data[begin:]
                return content, b""
        return content, data[at:]

    def _content(self, data: bytes, at: int, content: list[bytes]) -> int:
        if self._left:
            piece = data[at : at + self._left]
            if not piece:
                return _NEEDS_MORE
            content.append(piece)
            self._left -= len(piece)
            return at + len(piece)
        end = data[at : at + 2]
        if end != b"\r\n"[: len(end)]:
            raise MalformedMessage("A chunk is longer than it said.")
        if len(end) < 2:
            return _NEEDS_MORE
        self._in_chunk = False
        return at + 2

    def _line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        if (len(data) if end < 0 else end) - at > self._line_limit:
            raise MalformedMessage("A line between chunks is too long.")
        if end < 0:
            return _NEEDS_MORE
        if data[end - 1 : end] != b"\r" or end == at:
            raise MalformedMessage("Lines of a chunked body end with CR LF.")
        line = data[at : end - 1]
        if self._in_trailers:
            self._trailer(line)
        else:
            self._size(line)
        return end + 1

    @property
    def _line_limit(self) -> int:
        return MAX_TRAILER_BYTES - self._trailer_bytes if self._in_trailers else MAX_SIZE_LINE_BYTES

    def _size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise MalformedMessage("The size of a chunk is no hexadecimal number.")
        self.has_begun = True
        self._left = int(match[1], 16)
        self._in_chunk = self._left > 0
        self._in_trailers = self._left == 0

    def _trailer(self, line: bytes) -> None:
        if not line:
            self.is_over = True
            return
        self._trailer_bytes += len(line) + 2
        match = _FIELD.fullmatch(line)
        if match is None:
            raise MalformedMessage("A trailer is no header.")
        self.trailers.append((match[1].lower(), match[2]))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Headers) -> bytes:
    if not trailers:
        return END
    return b"0\r\n%b\r\n" % lines_of(trailers)


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b": ".join(field) + b"\r\n" for field in headers])
