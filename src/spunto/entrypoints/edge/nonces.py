"""The nonce that a browser keeps while it signs in, by which the code that it comes back with is its own; pure.

Over plain http any page below the workers' domain can plant a cookie of its name. So the edge seals what it gives, for
one host and for the address that asked: nobody elsewhere has one that is good in somebody else's browser. Over https
the browser itself holds the cookie to its host.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from spunto.core.kernel.secret import Secret
from spunto.core.routes.asking import nonce_hash
from spunto.entrypoints.edge.exchange import NONCE_SECONDS, CookieNames, cookies_of
from spunto.entrypoints.edge.seams import Headers

_SHAPE: Final = re.compile(r"(([0-9]{1,11})\.[A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonces:
    """Of one request: `client` is the address that asks; the first of the `keys` seals."""

    names: CookieNames
    keys: Sequence[bytes]
    host: str
    client: str
    now: datetime

    def to_give(self, headers: Headers) -> str:
        """Tabs that open at once share one, so that each comes back with what the browser keeps."""
        return next((each for each in self._good(headers, seconds=NONCE_SECONDS)), None) or self._new()

    def of_code(self, headers: Headers, hashed: str) -> str | None:
        """The one that the code was made for, whatever else was planted beside it; the first where that is not told."""
        # It may have been given again in its last second, for as long.
        good = self._good(headers, seconds=2 * NONCE_SECONDS)
        return next((each for each in good if hashed in ("", nonce_hash(Secret(each)))), None)

    def _new(self) -> str:
        told = f"{int(self.now.timestamp())}.{secrets.token_urlsafe(16)}"
        return f"{told}.{self._seal(self.keys[0], told)}"

    def _good(self, headers: Headers, *, seconds: int) -> Iterator[str]:
        for value in cookies_of(headers, self.names.nonce):
            match = _SHAPE.fullmatch(value)
            if match is None:
                continue
            told, given_at, seal = match.groups()
            is_ours = any(hmac.compare_digest(seal, self._seal(key, told)) for key in self.keys)
            if is_ours and 0 <= self.now.timestamp() - int(given_at) < seconds:
                yield value

    def _seal(self, key: bytes, told: str) -> str:
        client = "" if self.names.is_secure else self.client
        digest = hmac.digest(key, f"spunto nonce\n{told}\n{self.host}\n{client}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
