"""Reads the head of an origin's answer, and writes the answer's head anew."""

import re
from dataclasses import dataclass
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from spunto.entrypoints.edge.http.bodies import BodyReader, EndlessBody, SizedBody
from spunto.entrypoints.edge.http.chunks import ChunkReader, lines_of
from spunto.entrypoints.edge.http.malformed import MalformedMessage
from spunto.entrypoints.edge.seams import Body, Headers

MAX_HEAD_BYTES: Final = 64 * 1024
SWITCHED: Final = 101
_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?\r\n")
_HINT: Final = re.compile(rb"(?:.*[,\s])?timeout=([0-9]{1,6})", re.IGNORECASE)
_WITHOUT_BODY: Final = frozenset((204, 304))


# One is made for every answer, and a frozen one takes three times as long to make.
@dataclass(slots=True, kw_only=True)
class Outgoing:
    """An answer's head as it came. `length` is what Content-Length says, None where it is not there."""

    status: int
    reason: bytes
    headers: Headers
    length: int | None
    is_chunked: bool
    has_body: bool
    keeps_alive: bool

    @property
    def is_final(self) -> bool:
        return self.status >= 200

    def body(self) -> BodyReader:
        if not self.has_body:
            return SizedBody(0)
        if self.is_chunked:
            return ChunkReader()
        return EndlessBody() if self.length is None else SizedBody(self.length)

    @property
    def idle_seconds(self) -> float | None:
        """How long the origin keeps the connection, where it says so."""
        for name, value in self.headers:
            if name == b"keep-alive" and (match := _HINT.match(value)):
                return float(match[1])
        return None


class _Fields:
    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))


def read_response(received: bytes, *, method: bytes) -> Outgoing:
    """`received` is a head with the empty line behind it, and nothing else. Raises MalformedMessage."""
    line = _LINE.match(received)
    if line is None:
        raise MalformedMessage("it does not begin with a version of HTTP/1, a status and a reason")
    fields = _Fields()
    try:
        HttpResponseParser(fields).feed_data(received)
    except HttpParserUpgrade:
        pass
    except HttpParserError as error:
        raise MalformedMessage(f"its head can't be read ({error})") from error
    return _checked(int(line[2]), line[3] or b"", fields.headers, is_old=line[1] == b"0", method=method)


def _checked(status: int, reason: bytes, headers: Headers, *, is_old: bool, method: bytes) -> Outgoing:
    length: int | None = None
    is_chunked = False
    keeps_alive = not is_old
    for name, value in headers:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            if is_chunked or value.lower() != b"chunked" or is_old:
                raise MalformedMessage("it has a transfer coding other than `chunked`")
            is_chunked = True
        elif name == b"connection":
            keeps_alive = _goes_on(value, keeps_alive)
    has_body = method != b"HEAD" and status >= 200 and status not in _WITHOUT_BODY
    if has_body and not is_chunked and length is None:
        keeps_alive = False
    return Outgoing(
        status=status,
        reason=reason,
        headers=headers,
        length=length,
        is_chunked=is_chunked,
        has_body=has_body,
        keeps_alive=keeps_alive,
    )


def _goes_on(connection: bytes, keeps_alive: bool) -> bool:
    wishes = {wish.strip() for wish in connection.lower().split(b",")}
    if b"close" in wishes:
        return False
    return keeps_alive or b"keep-alive" in wishes


def framing_of(answer: Outgoing, *, version: bytes) -> Body | None:
    """How the answer's body is told to the client; None for a body that only the connection's end can tell."""
    if not answer.has_body:
        return Body.NONE
    if not answer.is_chunked and answer.length is not None:
        return Body.LENGTH
    return Body.CHUNKED if version == b"1.1" else None


def write_response(answer: Outgoing, headers: Headers, *, framing: Body | None, connection: bytes) -> bytes:
    """The head as it goes on. `headers` are without those of one connection; `connection` is empty where it goes on."""
    fields = list(headers)
    if framing is Body.CHUNKED:
        fields.append((b"transfer-encoding", b"chunked"))
    elif answer.length is not None and framing is not None and answer.status >= 200 and answer.status != 204:
        fields.append((b"content-length", b"%d" % answer.length))
    if connection:
        fields.append((b"connection", connection))
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (answer.status, answer.reason, lines_of(fields))
