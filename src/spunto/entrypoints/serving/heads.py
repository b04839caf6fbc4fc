"""What is wrong with the head of an HTTP/1 request: whatever two programs could read in two ways is refused.

A proxy in front of the server decides by what it reads; so each request has one meaning, and each path one form.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

MAX_HEAD_BYTES: Final = 16 * 1024
MAX_REQUEST_LINE_BYTES: Final = 8 * 1024
WEBSOCKET_VERSION: Final = b"13"

_BARE_END: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
# Nor in what is written of a head that nobody has checked.
CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
_FOLD: Final = re.compile(rb"\r\n[ \t]")
HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~%-]+|\[[0-9A-Fa-f:.]+\])?(?::[0-9]{1,5})?")
LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_ONCE: Final = (b"host", b"content-length", b"transfer-encoding", b"upgrade")
# An escape that is none, one of what needs none (a second form of the same path), or one of what parts a path.
_SECOND_FORM: Final = re.compile(
    rb"%(?![0-9A-Fa-f]{2})|%(?:2[dDeEfF]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[cCfF]|7[eE])"
)
_BROKEN_PATH: Final = re.compile(rb"//|/\.{1,2}(?:/|\Z)|[\\#]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a request is refused before anybody looks at what it asks for."""

    status: int
    code: str
    detail: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


TOO_LARGE: Final = Fault(status=431, code="head_too_large", detail="The request's head is larger than 16 KiB.")
BAD_VERSION: Final = Fault(
    status=505, code="version_not_supported", detail="This server speaks HTTP/1.1; a proxy in front may speak others."
)
NOT_UPGRADED: Final = Fault(
    status=400,
    code="upgrade_not_known",
    detail="Nothing but `websocket` is upgraded to here; send the request without the header Upgrade.",
)
TOO_LONG: Final = Fault(status=414, code="address_too_long", detail="The request line is longer than 8 KiB.")
UNKNOWN_CODING: Final = Fault(
    status=501, code="coding_not_known", detail="Of the transfer codings only `chunked` is known here."
)
OTHER_WEBSOCKET: Final = Fault(
    status=426,
    code="websocket_version",
    detail="WebSockets are spoken in version 13 here.",
    headers=((b"sec-websocket-version", WEBSOCKET_VERSION), (b"upgrade", b"websocket")),
)


def bad(detail: str) -> Fault:
    return Fault(status=400, code="bad_request", detail=detail)


FAULTS: Final = (TOO_LARGE, BAD_VERSION, NOT_UPGRADED, TOO_LONG, UNKNOWN_CODING, OTHER_WEBSOCKET, bad(""))
"""One of each code."""


def glimpse(received: bytes) -> tuple[Sequence[bytes], list[tuple[bytes, bytes]]] | None:
    """The words of the first line and the headers, in lower case, of a head that is refused, or of its beginning, whose
    last header may be cut off. They say in which form to refuse it; None where it is no request of HTTP/1."""
    line, _, rest = received.partition(b"\r\n\r\n")[0].partition(b"\r\n")
    words = line.split(b" ")
    if len(words) != 3 or CONTROL.search(line) or words[2] not in (b"HTTP/1.0", b"HTTP/1.1"):
        return None
    fields = (each.partition(b":") for each in rest.split(b"\r\n"))
    return words, [(name.lower(), value.strip(b" \t")) for name, colon, value in fields if colon]


def fault_of_bytes(received: bytes) -> Fault | None:
    """What can be told of the bytes alone; the head need not be complete, and more may follow it."""
    end = received.find(b"\r\n\r\n")
    head = received if end < 0 else received[: end + 4]
    line = head.find(b"\r\n")
    if (len(head) if line < 0 else line) > MAX_REQUEST_LINE_BYTES:
        return TOO_LONG
    if len(head) > MAX_HEAD_BYTES:
        return TOO_LARGE
    if _BARE_END.search(head):
        return bad("Lines of a request end with CR LF, and neither of the two stands alone.")
    if _FOLD.search(head):
        return bad("A header must not go on in the next line.")
    return None if end < 0 else _fault_of_fields(head)


def _fault_of_fields(head: bytes) -> Fault | None:
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:-2]]
    for name in _ONCE:
        if names.count(name) > 1:
            return bad(f"The header {name.decode().title()} may come only once.")
    if b"content-length" in names and b"transfer-encoding" in names:
        return bad("A request has Content-Length or Transfer-Encoding, never both.")
    return None


def fault_of_request(
    method: bytes, target: bytes, version: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> Fault | None:
    """What is wrong with a head that could be parsed. Names of `headers` are in lower case."""
    if version not in (b"1.1", b"1.0"):
        return BAD_VERSION
    if method != method.upper():
        return bad("Methods are told apart by their case, and written in capitals: GET.")
    return _fault_of_target(target) or _fault_of_framing(version, headers) or fault_of_upgrade(method, version, headers)


def _fault_of_target(target: bytes) -> Fault | None:
    path = target.partition(b"?")[0]
    if not path.startswith(b"/"):
        return bad("The target of a request is a path that begins with a slash.")
    if _BROKEN_PATH.search(path) or _SECOND_FORM.search(path):
        return bad("The path is not written in its one form: no `//`, `.`, `..`, `%2F`, and no escapes without need.")
    return None


def _fault_of_framing(version: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Fault | None:
    for name, value in headers:
        if name == b"host" and not HOST.fullmatch(value):
            return bad("The header Host is no name with or without a port.")
        if name == b"content-length" and not LENGTH.fullmatch(value):
            return bad("The header Content-Length is no number.")
        if name == b"transfer-encoding" and version == b"1.0":
            return bad("HTTP/1.0 has no Transfer-Encoding.")
    return None


def fault_of_upgrade(method: bytes, version: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Fault | None:
    wanted = list(_values(headers, b"upgrade"))
    if not wanted:
        return None
    if wanted != [b"websocket"]:
        return NOT_UPGRADED
    tokens = [token.strip() for value in _values(headers, b"connection") for token in value.split(b",")]
    if method != b"GET" or version != b"1.1" or b"upgrade" not in tokens:
        return bad("A WebSocket begins with a GET of HTTP/1.1, with `Connection: Upgrade`.")
    if any(value != b"0" for name, value in headers if name in (b"content-length", b"transfer-encoding")):
        return bad("A request that begins a WebSocket has no body.")
    if list(_values(headers, b"sec-websocket-version")) != [WEBSOCKET_VERSION]:
        return OTHER_WEBSOCKET
    if not _is_key([value for name, value in headers if name == b"sec-websocket-key"]):
        return bad("Sec-WebSocket-Key is 16 bytes in Base64, once.")
    return None


def _values(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> Iterator[bytes]:
    return (value.strip().lower() for key, value in headers if key == name)


def _is_key(values: Sequence[bytes]) -> bool:
    try:
        return [len(base64.b64decode(value, validate=True)) for value in values] == [16]
    except binascii.Error:
        return False
