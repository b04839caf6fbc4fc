"""Who comes in at the HTTP and WebSocket doors: one credential a request, and no foreign page on a visitor's cookie."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers

from spunto.core.access.model import Actor
from spunto.core.access.service import AccessService
from spunto.core.kernel.errors import Conflict, Forbidden, Malformed, SpuntoError, Unauthenticated
from spunto.core.kernel.loopback import is_loopback, programs_url
from spunto.core.kernel.secret import Secret

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_TOKEN_CHARACTERS: Final = 512
# Each costs a look; a browser has one.
_MAX_COOKIES: Final = 4
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,128}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAddress:
    """Where browsers and agents reach this server: an absolute http or https URL without a path.

    `is_guessed` where the server listens on every address and nobody said by which one it is reached.
    """

    url: str
    is_guessed: bool = False

    def require_known(self) -> None:
        """Raises Conflict `public_url_missing` where other machines can't be told how to reach this server."""
        if self.is_guessed:
            raise Conflict(
                "public_url_missing",
                "The server listens on every address, and was not told by which one other machines reach it: set "
                "SPUNTO_PUBLIC_URL to that (https://spunto.example.org), and start it again.",
            )

    @property
    def is_https(self) -> bool:
        return self.url.startswith("https://")

    @property
    def is_loopback(self) -> bool:
        return is_loopback(urlsplit(self.url).hostname or "")

    @property
    def programs_url(self) -> str:
        """The same for agents and scripts."""
        return programs_url(self.url)

    @property
    def websocket_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}"

    @property
    def other_names(self) -> frozenset[str]:
        """What this machine is called besides, as the header Host has it. Cookies ignore ports, and forwarded ports
        live at these names: no cookie counts there, and browsers are led to the URL."""
        own = urlsplit(self.url)
        if not self.is_loopback:
            return frozenset()
        port = "" if own.port is None else f":{own.port}"
        return frozenset({f"localhost{port}", f"127.0.0.1{port}"} - {own.netloc})

    def is_other_name(self, host: str) -> bool:
        return host.lower() in self.other_names

    @property
    def flow_cookie_name(self) -> str:
        """Of the cookie that lives as long as a sign-in is under way."""
        return "__Host-oidc" if self.is_https else "oidc"

    @property
    def hosts(self) -> frozenset[str]:
        """What stands in the header Host of requests for this address."""
        default_port = ":443" if self.is_https else ":80"
        named = {urlsplit(self.url).netloc.lower(), *self.other_names}
        return frozenset({*named, *(host + default_port for host in named if ":" not in host.rpartition("]")[2])})

    @property
    def cookie_name(self) -> str:
        """`__Host-` needs https; without it a worker's page could plant a session of its own."""
        return "__Host-session" if self.is_https else "session"


class Doorkeeper:
    """Turns a request's headers into an actor."""

    def __init__(self, access: AccessService, address: PublicAddress) -> None:
        self._access = access
        self._address = address
        # Asked for with each request.
        self._cookie_name, self._other_names = address.cookie_name, address.other_names

    async def admit(self, headers: Headers, *, method: str, request_id: str) -> Actor:
        """Raises Unauthenticated, Malformed for two credentials, Forbidden for a cookie sent by a foreign page."""
        token = bearer_of(headers)
        if token is not None:
            return await self._access.authenticate(token, request_id=request_id)
        tokens = self._cookies_of(headers)
        if method not in SAFE_METHODS:
            self._require_own_page(headers)
        return await self._authenticate_any(tokens, request_id)

    async def admit_socket(self, headers: Headers, *, request_id: str) -> Actor:
        """Like `admit` for an upgrade: a cookie needs an Origin of ours, a Bearer may come without any."""
        token = bearer_of(headers)
        origin = _only(headers, "Origin")
        tokens = [token] if token is not None else self._cookies_of(headers)
        if origin != self._address.url and (token is None or origin is not None):
            raise _foreign_origin()
        return await self._authenticate_any(tokens, request_id)

    async def knows(self, headers: Headers) -> bool:
        """Whether somebody signed in asks for a page that is for everybody."""
        try:
            await self.admit(headers, method="GET", request_id="")
        except SpuntoError:
            return False
        return True

    def _cookies_of(self, headers: Headers) -> Sequence[Secret]:
        """All of the name: a page of a name below the same one may have planted another beside the good one."""
        values = cookies_named(headers, self._cookie_name)
        if not values or headers.get("Host", "").lower() in self._other_names:
            raise Unauthenticated(
                "credential_missing", "Sign in, or send a token in the header `Authorization: Bearer <token>`."
            )
        return [_token(value) for value in values[:_MAX_COOKIES]]

    async def _authenticate_any(self, tokens: Sequence[Secret], request_id: str) -> Actor:
        """Junk beside the good one changes nothing. Raises Malformed for good ones of two people: a page that plants
        its own session must not make its visitor act as somebody else."""
        found: dict[str | None, Actor] = {}
        refused: Unauthenticated | None = None
        for token in tokens:
            try:
                actor = await self._access.authenticate(token, request_id=request_id)
            except Unauthenticated as error:
                refused = error
            else:
                found.setdefault(actor.user_id, actor)
        if len(found) > 1:
            raise Malformed("duplicate_cookie", "Cookies of two people came; clear this site's cookies, and sign in.")
        for actor in found.values():
            return actor
        assert refused is not None  # noqa: S101 - there is a token at least, and each was answered
        raise refused

    def _require_own_page(self, headers: Headers) -> None:
        # Browsers send no Sec-Fetch-Site over plain HTTP, so the Origin decides wherever there is one.
        origin = _only(headers, "Origin")
        if origin is None and headers.get("Sec-Fetch-Site") == "same-origin":
            return
        if origin != self._address.url:
            raise _foreign_origin()


def bearer_of(headers: Headers) -> Secret | None:
    """The bearer token; None without an Authorization header. Raises Unauthenticated for any other scheme."""
    value = _only(headers, "Authorization")
    if value is None:
        return None
    scheme, _, token = value.strip().partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("credential_not_good", "Only `Authorization: Bearer <token>` is understood here.")
    return _token(token.strip())


def cookies_named(headers: Headers, name: str) -> list[str]:
    pairs = (pair.partition("=") for header in headers.getlist("Cookie") for pair in header.split(";"))
    return [value.strip() for key, _, value in pairs if key.strip() == name]


def request_id_of(headers: Headers) -> str:
    """The caller's own X-Request-Id where it is a sane one, else a new one."""
    given = headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.match(given) else secrets.token_hex(16)


def _token(text: str) -> Secret:
    if not text or len(text) > MAX_TOKEN_CHARACTERS or not text.isascii():
        raise Unauthenticated("credential_not_good", "The token is unknown, expired or revoked; sign in again.")
    return Secret(text)


def _only(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    if len(values) > 1:
        raise Malformed("duplicate_header", f"The header {name} may come only once.")
    return values[0] if values else None


def _foreign_origin() -> Forbidden:
    return Forbidden("foreign_origin", "With a cookie this is open only to pages of this server; send a Bearer token.")
