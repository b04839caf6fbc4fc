"""What a request to a worker's host shows of who asks: a program's token, or the passes of a browser."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from spunto.core.kernel.errors import Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.routes.passes import Pass, read
from spunto.entrypoints.edge.crossings import first
from spunto.entrypoints.edge.exchange import CookieNames, cookies_of
from spunto.entrypoints.edge.seams import Headers

OWN_HEADER: Final = b"spunto-authorization"
"""For programs whose worker needs `Authorization` for itself."""
_OWN_TOKEN: Final = re.compile(rb"sp[a-z]_[\x21-\x7e]{16,480}")


def token_of(headers: Headers) -> Secret | None:
    """The token of ours that a program sent; an `Authorization` of another shape is the application's own business.

    Raises Unauthenticated for what can't be a token in the header that is ours alone.
    """
    own = first(headers, OWN_HEADER)
    if own is not None:
        token = _bearer(own)
        if token is None:
            raise Unauthenticated("credential_not_good", "Send `Spunto-Authorization: Bearer <token>`.")
        return token
    given = first(headers, b"authorization")
    return None if given is None else _bearer(given)


def passes_of(
    headers: Headers, names: CookieNames, *, keys: Sequence[bytes], host: str, now: datetime
) -> Iterator[Pass]:
    """The good ones; a sibling host may have set cookies of the same name."""
    for value in cookies_of(headers, names.access):
        found = (read(key, value, host=host, now=now) for key in keys)
        yield from (each for each in found if each is not None)


def _bearer(value: bytes) -> Secret | None:
    scheme, _, token = value.strip().partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not _OWN_TOKEN.fullmatch(token):
        return None
    return Secret(token.decode())
