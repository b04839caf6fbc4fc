"""What a provider says of itself at `/.well-known/openid-configuration`, read once an hour."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from spunto.adapters.oidc.web import Web, unavailable
from spunto.core.kernel.clock import Clock

GOOD_FOR_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    authorization: str
    token: str
    jwks: str
    userinfo: str | None
    token_auth_methods: tuple[str, ...]


class Discovery:
    def __init__(self, issuer: str, *, web: Web, clock: Clock) -> None:
        self._issuer = issuer
        self._web = web
        self._clock = clock
        self._known: tuple[float, Endpoints] | None = None
        self._lock = asyncio.Lock()

    async def endpoints(self) -> Endpoints:
        """Raises Unavailable where the provider does not answer, or is another one."""
        async with self._lock:
            if self._known is None or self._known[0] <= self._clock.monotonic():
                said = await self._web.get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
                self._known = (self._clock.monotonic() + GOOD_FOR_SECONDS, self._read(said))
            return self._known[1]

    def _read(self, said: Mapping[str, Any]) -> Endpoints:
        if said.get("issuer") != self._issuer:
            raise unavailable(f"its document is that of {said.get('issuer')!r}, not of {self._issuer!r}")
        userinfo = said.get("userinfo_endpoint")
        methods = said.get("token_endpoint_auth_methods_supported")
        return Endpoints(
            authorization=self._address(said, "authorization_endpoint"),
            token=self._address(said, "token_endpoint"),
            jwks=self._address(said, "jwks_uri"),
            userinfo=None if userinfo is None else self._address(said, "userinfo_endpoint"),
            token_auth_methods=tuple(map(str, methods)) if isinstance(methods, list) else ("client_secret_basic",),
        )

    def _address(self, said: Mapping[str, Any], name: str) -> str:
        """A provider with https never leads away from it."""
        address = said.get(name)
        scheme = "https://" if self._issuer.startswith("https://") else "http"
        if not isinstance(address, str) or not address.startswith(scheme):
            raise unavailable(f"its document has no usable {name}")
        return address
