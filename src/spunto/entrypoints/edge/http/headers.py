"""Which headers pass the edge: none that concern one connection, none of ours, none by which a worker could harm."""

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from spunto.entrypoints.edge.seams import Headers, RequestHead

_OF_ONE_CONNECTION: Final = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
        b"transfer-encoding", b"upgrade", b"content-length", b"http2-settings",
    )
)  # fmt: skip
# Written by whoever stands before a server. Servers that read headers as variables take `_` for `-`, some also `.`.
_ABOUT_THE_CLIENT: Final = re.compile(
    rb"x-forwarded(?:-.*)?|forwarded|x-real-ip|x-spunto-.*|spunto-authorization", re.DOTALL
)
_NOT_IN_TRAILERS: Final = frozenset(
    (
        b"host", b"trailer", b"expect", b"authorization", b"cookie", b"set-cookie", b"cache-control", b"location",
        b"content-encoding", b"content-type", b"content-range", b"range", b"origin", b"referer",
    )
)  # fmt: skip
_OUR_COOKIE: Final = re.compile(rb"sp[nw]\Z|__host-sp.*", re.IGNORECASE | re.DOTALL)
# Whatever the name of the cookie is: `session` is what some frameworks call their own.
_OUR_TOKEN: Final = re.compile(rb"(?:sp[a-z]|sst)_[A-Za-z0-9_-]{16,}")
_OUR_TOKEN_IN: Final = re.compile(rb"(?<![A-Za-z0-9_-])(?:sp[a-z]|sst)_[A-Za-z0-9_-]{16,}")
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_BASIC: Final = re.compile(rb"[ \t]*basic[ \t]+([A-Za-z0-9+/_=-]+)", re.IGNORECASE)
_OUR_BEARER: Final = re.compile(rb"[ \t]*bearer[ \t]+(?:sp[a-z]|sst)_", re.IGNORECASE)
# What a page of a worker could do to its neighbours below the same name, or to the address itself.
_NOT_FROM_A_WORKER: Final = frozenset(
    (b"clear-site-data", b"alt-svc", b"strict-transport-security", b"public-key-pins")
)
_ON_KEEPING: Final = frozenset((b"cache-control", b"expires", b"pragma"))
_DOMAIN: Final = re.compile(rb";[ \t]*domain[ \t]*(?:=|;|\Z)", re.IGNORECASE)


def passing(headers: Headers) -> list[tuple[bytes, bytes]]:
    """All but those of this one connection, its framing included."""
    left = [field for field in headers if field[0] not in _OF_ONE_CONNECTION]
    if len(left) == len(headers):
        return left
    named = _named_by_connection(headers)
    return [field for field in left if field[0] not in named] if named else left


def passing_trailers(trailers: Headers) -> list[tuple[bytes, bytes]]:
    return [
        field
        for field in trailers
        if field[0] not in _OF_ONE_CONNECTION and field[0] not in _NOT_IN_TRAILERS and not is_about_the_client(field[0])
    ]


def to_worker(request: RequestHead, *, client: str, scheme: str) -> list[tuple[bytes, bytes]]:
    """What a worker is told: nothing that lets in elsewhere, and of the client only what the edge knows.

    `client` is the address that asks, `scheme` how it came to the front door.
    """
    return [
        *_without_credentials(without_client(passing(request.headers))),
        *forwarding(request, client=client, scheme=scheme),
    ]


def forwarding(request: RequestHead, *, client: str, scheme: str) -> list[tuple[bytes, bytes]]:
    """The headers that say who asked for what, and how."""
    return [
        (b"x-forwarded-for", client.encode("latin1")),
        (b"x-forwarded-host", request.host.encode("latin1")),
        (b"x-forwarded-proto", scheme.encode()),
        (b"x-real-ip", client.encode("latin1")),
    ]


def without_client(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Without what others wrote about who asks."""
    return [field for field in headers if not is_about_the_client(field[0])]


def from_worker(headers: Headers) -> list[tuple[bytes, bytes]]:
    """What a browser is told by a worker."""
    return [field for field in headers if field[0] not in _NOT_FROM_A_WORKER and not _is_harmful(*field)]


def asked_for_again(status: int, headers: Headers) -> Headers:
    """Not everybody may have it, and whoever may now may not later: a browser asks before it shows it again, where the
    worker itself says nothing of how long it is good. With 304 it has said so before."""
    if status < 200 or status == 304 or any(name in _ON_KEEPING for name, _ in headers):
        return headers
    return [*headers, (b"cache-control", b"private, no-cache")]


@lru_cache(maxsize=4096)
def is_about_the_client(name: bytes) -> bool:
    """Also for what some servers would take for the length of a body, or another host."""
    folded = name.replace(b"_", b"-").replace(b".", b"-")
    is_disguised = folded != name and (folded in _OF_ONE_CONNECTION or folded == b"host")
    return is_disguised or _ABOUT_THE_CLIENT.fullmatch(folded) is not None


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    values = [value for name, value in headers if name == b"connection"]
    if not values:
        return frozenset()
    # Without it a request means something else, whoever calls it one of the connection.
    return frozenset(_tokens(values)) - {b"host"}


def _tokens(values: Iterable[bytes]) -> Iterator[bytes]:
    return (token.strip(b" \t").lower() for value in values for token in value.split(b","))


def _without_credentials(headers: Headers) -> Iterator[tuple[bytes, bytes]]:
    for name, value in headers:
        if name == b"cookie":
            left = _other_cookies(value)
            if left:
                yield name, left
        elif name != b"authorization" or not _has_our_token(value):
            yield name, value


def _has_our_token(authorization: bytes) -> bool:
    """Under whatever scheme, as a password too."""
    if _OUR_BEARER.match(authorization) or _OUR_TOKEN_IN.search(authorization):
        return True
    basic = _BASIC.match(authorization)
    if basic is None:
        return False
    text = basic[1].rstrip(b"=").translate(_URL_SAFE)
    # One character more than whole ones is none, and what is before it may still be read.
    text = text[:-1] if len(text) % 4 == 1 else text
    return _OUR_TOKEN_IN.search(base64.b64decode(text + b"=" * (-len(text) % 4))) is not None


def _other_cookies(value: bytes) -> bytes:
    pairs = [pair.strip(b" \t") for pair in value.split(b";")]
    return b"; ".join(pair for pair in pairs if pair and not _is_our_cookie(pair))


def _is_our_cookie(pair: bytes) -> bool:
    name, _, value = pair.partition(b"=")
    return _OUR_COOKIE.match(name.strip(b" \t")) is not None or _OUR_TOKEN.match(value.strip(b' \t"')) is not None


def _is_harmful(name: bytes, value: bytes) -> bool:
    if name == b"set-cookie":
        return _DOMAIN.search(value) is not None or _is_our_cookie(value.partition(b";")[0])
    return name == b"service-worker-allowed" and b".spunto" in value.lower()
