"""How a browser gets the cookie of one host: by a code that it fetches at the server's own address; pure.

The nonce that the host gave before binds the code to this browser, so that a stolen code opens nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from spunto.core.kernel.secret import Secret
from spunto.core.routes.asking import nonce_hash
from spunto.core.routes.hosts import RESERVED_PATH
from spunto.entrypoints.edge.seams import Headers

ENTER_PATH: Final = f"{RESERVED_PATH}enter"
WAIT_PATH: Final = f"{RESERVED_PATH}wait"
NONCE_SECONDS: Final = 300
_MAX_NEXT: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieNames:
    """Over https the browser itself holds them to one host; elsewhere the plain names are used, since not every browser
    takes the others there."""

    access: str
    nonce: str
    is_secure: bool

    @classmethod
    def of(cls, scheme: str) -> "CookieNames":
        if scheme == "https":
            return cls(access="__Host-spw", nonce="__Host-spn", is_secure=True)
        return cls(access="spw", nonce="spn", is_secure=False)

    def set_access(self, value: str, *, seconds: int) -> bytes:
        return self._set(self.access, value, seconds)

    def set_nonce(self, value: str) -> bytes:
        return self._set(self.nonce, value, NONCE_SECONDS)

    def drop_nonce(self) -> bytes:
        return self._set(self.nonce, "", 0)

    def _set(self, name: str, value: str, seconds: int) -> bytes:
        secure = "; Secure" if self.is_secure else ""
        return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}".encode()


def cookies_of(headers: Headers, name: str) -> Iterator[str]:
    """Every value of a cookie: a sibling host may have set one of the same name beside ours."""
    for key, value in headers:
        if key == b"cookie":
            for pair in value.decode("latin1").split(";"):
                found, _, text = pair.strip().partition("=")
                if found == name:
                    yield text


def sign_in_url(app_url: str, *, host: str, nonce: str, target: str) -> str:
    """Where the browser gets its code."""
    query = urlencode({"host": host, "n": nonce_hash(Secret(nonce)), "next": safe_next(target)})
    return f"{app_url}/api/auth/worker?{query}"


def enter_path(target: str) -> str:
    """Where somebody says who they are though they need not, on their way to the path."""
    return _on_the_way(ENTER_PATH, target)


def wait_path(target: str) -> str:
    """Where a page looks whether what it waits for is there. It is no visit: it wakes nothing, and is no use of it."""
    return _on_the_way(WAIT_PATH, target)


def _on_the_way(path: str, target: str) -> str:
    return f"{path}?{urlencode({'next': safe_next(target)})}"


def safe_next(target: str) -> str:
    """A path on the same host, or its first page."""
    if not target.startswith("/") or target.startswith(("//", RESERVED_PATH)) or len(target) > _MAX_NEXT:
        return "/"
    if "\\" in target or any(not 0x20 < ord(each) < 0x7F for each in target):
        return "/"
    return target
