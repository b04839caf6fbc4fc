"""Requests that two programs could read in two ways, or nearly so; each says whether it is one, and with what body."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

PLANTED: Final = b"GET /planted HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED: Final = b"5\r\nhello\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Case:
    """`body` is what must arrive; None for what is refused."""

    raw: bytes
    body: bytes | None = None


def cases() -> list[Case]:
    return [*_codings(), *_lengths(), *_chunks(), *_endings(), *_lines(), *_hosts(), *_fields(), *_upgrades()]


def _post(fields: bytes, body: bytes) -> bytes:
    return b"POST /x HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n" + body


def _codings() -> Iterator[Case]:
    names = [
        b"Transfer-Encoding:",
        b"transfer-ENCODING: ",
        b"Transfer-Encoding :",
        b" Transfer-Encoding:",
        b"Transfer-Encoding\t:",
        b"X: y\nTransfer-Encoding:",
        b"X: y\rTransfer-Encoding:",
        b"X: y\r\n Transfer-Encoding:",
        b"X:\r\nTransfer-Encoding:\r\n",
        b"\x00Transfer-Encoding:",
    ]
    values = [
        b"chunked",
        b"Chunked",
        b"\tchunked",
        b"chunked \t",
        b"xchunked",
        b"chunked, identity",
        b"identity, chunked",
        b"gzip, chunked",
        b"chunked, chunked",
        b"identity",
        b"",
        b'"chunked"',
        b"chunked;q=1",
        b"chunked\x0b",
        b"chun\x00ked",
    ]
    good_values = (b"chunked", b"Chunked", b"\tchunked")
    for (at, name), value in product(enumerate(names), values):
        is_good = at < 2 and value in good_values
        field = name + value + b"\r\n"
        yield Case(_post(field, CHUNKED), b"hello" if is_good else None)
        if value in good_values:
            yield Case(_post(b"Content-Length: 5\r\n" + field, CHUNKED + PLANTED))
            yield Case(_post(field + b"Content-Length: 4\r\n", b"5\r\n" + CHUNKED + PLANTED))
    yield Case(_post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKED))
    yield Case(_post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", CHUNKED))
    yield Case(_post(b"Transfer-Encoding: chunked\r\n", CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0"))
    # Some servers read these names as the true ones; here they are none, and are left out.
    yield Case(_post(b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"), b"0\r\n\r\n")
    yield Case(_post(b"Content.Length: 9\r\nContent_Length: 7\r\nContent-Length: 5\r\n", b"hello"), b"hello")
    yield Case(_post(b"Content-Length: 5\r\nContent_Length: 0\r\n", b"hello"), b"hello")


def _lengths() -> Iterator[Case]:
    for value in (b"5", b"05", b"0000005", b"\t5\t"):
        yield Case(_post(b"Content-Length: " + value + b"\r\n", b"hello"), b"hello")
    for value in (
        b"+5",
        b"-5",
        b"5 5",
        b"5,5",
        b"0x5",
        b"5.0",
        b"5e0",
        b"",
        b"1_0",
        b"five",
        b"\xb2",
        b"5\x00",
        b"9" * 25,
    ):
        yield Case(_post(b"Content-Length: " + value + b"\r\n", b"hello" + PLANTED))
    for first, second in ((b"5", b"5"), (b"0", b"5"), (b"5", b"0"), (b"5", b"")):
        yield Case(_post(b"Content-Length: %b\r\ncontent-length: %b\r\n" % (first, second), b"hello" + PLANTED))
    for name in (b"Content-Length ", b" Content-Length", b"X: y\nContent-Length", b"X: y\rContent-Length"):
        yield Case(_post(name + b": 5\r\n", b"hello"))
    body = b"a" * 33
    yield Case(b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\n" + body, body)
    yield Case(b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n", b"")


def _chunks() -> Iterator[Case]:
    field = b"Transfer-Encoding: chunked\r\n"
    for size in (b"5", b"05", b"000005", b"5;x", b"5;x=y", b'5;x="y"', b"5 ;x", b"5\t; x"):
        yield Case(_post(field, size + b"\r\nhello\r\n0\r\n\r\n"), b"hello")
    for size in (
        b"0x5", b"+5", b"-5", b" 5", b"5 ", b"5\t", b"", b"g", b"5g", b"5_", b"5\x00", b"\xb2", b"5,5", b"5;\x00",
        b"5;\x7f", b"F" * 16, b"0" * 20 + b"5", b"5\n", b"\n5", b"5;x\n", b'5;x="\n"', b"5\r", b"\r5",
        b"5;" + b"x" * 2000,
    ):  # fmt: skip
        yield Case(_post(field, size + b"\r\nhello\r\n0\r\n\r\n" + PLANTED))
    for size in (b"5\n", b"5;x\n", b"5\r"):
        yield Case(_post(field, size + b"hello\r\n0\r\n\r\n" + PLANTED))
    for after in (b"\n", b"\r", b"", b"xx", b" \r\n", b"x\r\n", b"\r\r\n", b"\n\r\n", b"\r\n\r\n"):
        yield Case(_post(field, b"5\r\nhello" + after + b"0\r\n\r\n" + PLANTED))


def _endings() -> Iterator[Case]:
    field = b"Transfer-Encoding: chunked\r\n"
    for last in (b"0\r\n\r\n", b"00\r\n\r\n", b"0;x\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\nX:\r\nY: \t z \t\r\n\r\n"):
        yield Case(_post(field, b"5\r\nhello\r\n" + last), b"hello")
    yield Case(
        _post(field, b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: b\r\nTransfer-Encoding: x\r\n\r\n"), b"hello"
    )
    for last in (
        b"0\n\n", b"0\r\n\n", b"0\n\r\n", b"0\r\n\r\r\n", b"0\r\nX: y\n\r\n", b"0\r\nX: y\r\n z\r\n\r\n",
        b"0\r\n X: y\r\n\r\n", b"0\r\nX : y\r\n\r\n", b"0\r\nX\r\n\r\n", b"0\r\n: y\r\n\r\n", b"0\r\nX: \x00\r\n\r\n",
        b"0\r\nX: y\rZ: z\r\n\r\n", b"0\r\n" + b"X: y\r\n" * 3000 + b"\r\n", b"-0\r\n\r\n", b"0x0\r\n\r\n",
        b"0 \r\n\r\n",
    ):  # fmt: skip
        yield Case(_post(field, b"5\r\nhello\r\n" + last + PLANTED))


def _lines() -> Iterator[Case]:
    rest = b"\r\nHost: a\r\n\r\n"
    for target in (
        b"//",
        b"//b/c",
        b"/..//../",
        b"/%2e%2e/%2F",
        b"/a?b=/../c??&",
        b"/;a=b",
        b"/\\a",
        b'/a|b^{}`"<>',
        b"/:80",
        b"/@b",
    ):
        yield Case(b"GET " + target + b" HTTP/1.1" + rest, b"")
    for line in (
        b"GET http://b/ HTTP/1.1", b"GET HTTP://b/ HTTP/1.1", b"GET b:80 HTTP/1.1", b"CONNECT b:80 HTTP/1.1",
        b"OPTIONS * HTTP/1.1", b"GET * HTTP/1.1", b"GET b HTTP/1.1", b"GET ?a HTTP/1.1", b"GET /a#b HTTP/1.1",
        b"GET /a b HTTP/1.1", b"GET /a\tb HTTP/1.1", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET / HTTP/1.1 ",
        b" GET / HTTP/1.1", b"\tGET / HTTP/1.1", b"\r\nGET / HTTP/1.1", b"\nGET / HTTP/1.1", b"GET\t/\tHTTP/1.1",
        b"GET /\x00 HTTP/1.1", b"GET /\x7f HTTP/1.1", b"GET /\xc3\xa9 HTTP/1.1", b"GET /", b"GET / HTTP/0.9",
        b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"GET / HTTP/3.0", b"GET / HTTP/11", b"GET / HTTP/1.1.1",
        b"GET / HTTP/01.1", b"GET / http/1.1", b"GET / HTTPS/1.1", b"GET / RTSP/1.0", b"SOURCE / ICE/1.0",
        b"get / HTTP/1.1", b"G\x00T / HTTP/1.1", b"G(T / HTTP/1.1", b"ZZZ / HTTP/1.1", b"PRI * HTTP/2.0",
        b"GET /\rX: y HTTP/1.1", b"GET / HTTP/1.1\r", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET / HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ):  # fmt: skip
        yield Case(line + rest + PLANTED)
    yield Case(b"GET / HTTP/1.1\nHost: a\n\n")
    yield Case(b"GET / HTTP/1.1\nHost: a\r\n\r\n")
    yield Case(b"GET / HTTP/1.1\r\nHost: a\n\r\n" + PLANTED)
    yield Case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


def _hosts() -> Iterator[Case]:
    for host in (b"a", b"A.b:80", b"[::1]:80", b"127.0.0.1", b"", b"a_b.c", b"xn--a", b"a.", b" \ta\t "):
        yield Case(b"GET /x HTTP/1.1\r\nHost:" + host + b"\r\n\r\n", b"")
    for host in (
        b"a b", b"a,b", b"a/b", b"a@b", b"a\\b", b"a\x00", b"a\x0b", b"a:", b"a:b", b"a:123456", b"http://a", b"a?b",
        b"a#b", b"[::1", b"\xe9", b"a\r\n b", b"a\nHost: b", b"a\rHost: b", b"a\r\nhost: a", b"a\r\nHOST: b",
        b"a\r\nHost : b", b'"a"', b"a;b", b"[g]",
    ):  # fmt: skip
        yield Case(b"GET /x HTTP/1.1\r\nHost: " + host + b"\r\n\r\n" + PLANTED)
    yield Case(b"GET /x HTTP/1.1\r\n\r\n")
    yield Case(b"GET /x HTTP/1.1\r\nX: y\r\n\r\n")
    yield Case(b"GET /x HTTP/1.1\r\nHost_: b\r\nHOST: a\r\nh.ost: c\r\n\r\n", b"")


def _fields() -> Iterator[Case]:
    for field in (
        b"X:",
        b"X: ",
        b"X:y",
        b"X: \ty\t ",
        b"X: \xe9\xff",
        b"!#$%&'*+-.^_`|~09: y",
        b"X: a: b",
        b"X: y\r\nX: z",
    ):
        yield Case(_post(field + b"\r\nContent-Length: 1\r\n", b"a"), b"a")
    for field in (
        b"X", b": y", b"X : y", b"X\t: y", b" X: y", b"\tX: y", b"X Y: z", b"X\x00: y", b"X\x7f: y", b"X\xe9: y",
        b"X: \x00", b"X: \x01", b"X: \x7f", b"X: \x0b", b"X: \x0c", b"X: y\nZ: z", b"X: y\rZ: z", b"X: y\r\n z",
        b"X: y\r\n\tz", b"X: y\r\n \r\n z", b"X: y\r\r", b"X(Y): z", b'X"Y: z', b"X/Y: z", b"X[: y", b"X@Y: z",
        b"X,Y: z", b"\xef\xbb\xbfX: y", b"X: y\n z", b"X: y\n\tz", b"X:\r y",
    ):  # fmt: skip
        yield Case(_post(field + b"\r\nContent-Length: 1\r\n", b"a" + PLANTED))
    yield Case(_post(b"X: y\r\n" * 99 + b"Content-Length: 1\r\n", b"a" + PLANTED))
    yield Case(_post(b"X: y\r\n" * 98 + b"Content-Length: 1\r\n", b"a"), b"a")
    yield Case(_post(b"X: %b\r\nContent-Length: 1\r\n" % (b"y" * 32 * 1024), b"a" + PLANTED))
    yield Case(_post(b"X: %b\r\nContent-Length: 1\r\n" % (b"y" * 32 * 1000), b"a"), b"a")
    yield Case(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 40_000) + PLANTED)
    yield Case(_post(b"Connection: content-length, host, close\r\nContent-Length: 1\r\n", b"a"), b"a")
    yield Case(_post(b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", CHUNKED), b"hello")
    yield Case(_post(b"Expect: 100-continue\r\nContent-Length: 1\r\n", b"a"), b"a")
    yield Case(_post(b"Expect: 100-continue\r\nExpect: x\r\nContent-Length: 1\r\n", b"a" + PLANTED))


def _upgrades() -> Iterator[Case]:
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    for field in (
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, HTTP2-Settings\r\n",
        b"Upgrade: h2c\r\nConnection: Upgrade\r\n",
        b"Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n",
        b"Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n" + key,
        b"Upgrade: websocket\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + key,
        b"Upgrade: websocket\r\n" + key,
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n" + key + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n" + key.replace(b"13", b"8"),
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 36\r\n" + key,
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n" + key,
    ):
        yield Case(b"GET /x HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n" + PLANTED)
    field = b"Upgrade: websocket\r\nConnection: Upgrade\r\n" + key
    yield Case(b"POST /x HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n" + PLANTED)
    yield Case(b"GET /x HTTP/1.0\r\nHost: a\r\n" + field + b"\r\n" + PLANTED)
