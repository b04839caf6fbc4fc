"""Reads the head of a request. What two programs could read in two ways is refused; a path may be of any form."""

import re
from dataclasses import dataclass
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from spunto.entrypoints.edge.http.bodies import BodyReader, SizedBody
from spunto.entrypoints.edge.http.chunks import ChunkReader, lines_of
from spunto.entrypoints.edge.http.headers import passing
from spunto.entrypoints.edge.seams import Body, Headers, RequestHead
from spunto.entrypoints.serving import heads
from spunto.entrypoints.serving.heads import BAD_VERSION, HOST, LENGTH, UNKNOWN_CODING, Fault, bad, fault_of_upgrade

MAX_HEAD_BYTES: Final = 32 * 1024
MAX_HEADERS: Final = 100

TOO_LARGE: Final = Fault(status=431, code="head_too_large", detail="The request's head is larger than 32 KiB.")
TOO_MANY: Final = Fault(status=431, code="head_too_large", detail=f"The request has more than {MAX_HEADERS} headers.")
TOO_SLOW: Final = Fault(status=408, code="head_too_slow", detail="The request's head did not come in time.")
NOT_HTTP: Final = bad("This is no request of HTTP/1.1; TLS and other protocols are not spoken at this port.")

# httptools is kinder: it takes several spaces, no version at all, and empty lines before.
_LINE: Final = re.compile(rb"[A-Z-]+ (?:[!-~]+) HTTP/([0-9])\.([0-9])\r\n")
_VERSIONS: Final = {(b"1", b"1"): b"1.1", (b"1", b"0"): b"1.0"}
_ONCE: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"sec-websocket-key")
)


# Not frozen, as the head itself.
@dataclass(slots=True, kw_only=True)
class Incoming:
    """A request's head, and what only its connection needs to know."""

    head: RequestHead
    length: int
    keeps_alive: bool
    expects_continue: bool

    @property
    def has_no_body(self) -> bool:
        return self.head.body is Body.NONE or (self.head.body is Body.LENGTH and self.length == 0)

    def body(self) -> BodyReader:
        return ChunkReader() if self.head.body is Body.CHUNKED else SizedBody(self.length)


class _Fields:
    __slots__ = ("headers", "target")

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.target = b""

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))


def read_request(received: bytes, peer: str, *, is_tls: bool) -> Incoming | Fault:
    """`received` is a head with the empty line behind it, and nothing else."""
    line = _LINE.match(received)
    if line is None:
        return bad("The first line of a request is a method, a path and the version, with one space between them.")
    version = _VERSIONS.get((line[1], line[2]))
    if version is None:
        return BAD_VERSION
    fields = _Fields()
    parser = HttpRequestParser(fields)
    try:
        parser.feed_data(received)
    except HttpParserUpgrade:
        pass
    except HttpParserError as error:
        return bad(f"The request's head can't be read: {error}.")
    return _checked(parser.get_method(), version, fields, peer=peer, is_tls=is_tls)


def glimpse(received: bytes, peer: str, *, is_tls: bool) -> RequestHead | None:
    """What can be told of a head that is refused, or of its beginning; it goes no further."""
    found = heads.glimpse(received)
    if found is None:
        return None
    words, headers = found
    return RequestHead(
        method=words[0],
        target=words[1],
        version=words[2].removeprefix(b"HTTP/"),
        headers=headers,
        host=next((value for name, value in headers if name == b"host"), b"").decode("latin1").lower(),
        peer=peer,
        is_tls=is_tls,
        wants_upgrade=False,
    )


def _checked(method: bytes, version: bytes, fields: _Fields, *, peer: str, is_tls: bool) -> Incoming | Fault:
    target, headers = fields.target, fields.headers
    if target[:1] != b"/" or b"#" in target:
        return bad("The target of a request is a path that begins with a slash, without a fragment.")
    if len(headers) > MAX_HEADERS:
        return TOO_MANY
    single: dict[bytes, bytes] = {}
    wishes: set[bytes] = set()
    for name, value in headers:
        if name in _ONCE:
            if name in single:
                return bad(f"The header {name.decode().title()} may come only once.")
            single[name] = value
        elif name == b"connection":
            wishes.update([wish.strip() for wish in value.lower().split(b",")])
    fault = _fault_of(method, version, headers, single)
    if fault is not None:
        return fault
    keeps_alive = b"close" not in wishes and (version == b"1.1" or b"keep-alive" in wishes)
    return _incoming(method, version, fields, single, keeps_alive=keeps_alive, peer=peer, is_tls=is_tls)


def _fault_of(method: bytes, version: bytes, headers: Headers, single: dict[bytes, bytes]) -> Fault | None:
    host = single.get(b"host")
    if not HOST.fullmatch(host or b"") or (host is None and version == b"1.1"):
        return bad("The header Host is no name with or without a port.")
    coding = single.get(b"transfer-encoding")
    if coding is not None:
        if version == b"1.0":
            return bad("HTTP/1.0 has no Transfer-Encoding.")
        if coding.lower() != b"chunked":
            return UNKNOWN_CODING
    if not LENGTH.fullmatch(single.get(b"content-length", b"0")):
        return bad("The header Content-Length is no number.")
    return fault_of_upgrade(method, version, headers) if b"upgrade" in single else None


def _incoming(
    method: bytes,
    version: bytes,
    fields: _Fields,
    single: dict[bytes, bytes],
    *,
    keeps_alive: bool,
    peer: str,
    is_tls: bool,
) -> Incoming:
    body = Body.NONE
    if b"transfer-encoding" in single:
        body = Body.CHUNKED
    elif b"content-length" in single:
        body = Body.LENGTH
    head = RequestHead(
        method=method,
        target=fields.target,
        version=version,
        headers=fields.headers,
        host=single.get(b"host", b"").decode("latin1").lower(),
        peer=peer,
        is_tls=is_tls,
        wants_upgrade=b"upgrade" in single,
        body=body,
    )
    return Incoming(
        head=head,
        length=int(single.get(b"content-length", b"0")),
        keeps_alive=keeps_alive,
        expects_continue=version == b"1.1" and single.get(b"expect", b"").lower() == b"100-continue",
    )


def write_request(request: Incoming, headers: Headers) -> bytes:
    """The head as it goes on, in its one form."""
    head = request.head
    fields = [field for field in passing(headers) if field[0] != b"expect" or request.expects_continue]
    if not head.host and all(name != b"host" for name, _ in fields):
        # As HTTP/1.1 wants it from whoever has none.
        fields.append((b"host", b""))
    if head.body is Body.CHUNKED:
        fields.append((b"transfer-encoding", b"chunked"))
    elif head.body is Body.LENGTH:
        fields.append((b"content-length", b"%d" % request.length))
    if head.wants_upgrade:
        fields += [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (head.method, head.target, lines_of(fields))
