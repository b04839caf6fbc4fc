"""The signatures of ID tokens, checked with the provider's published keys and algorithms that we chose."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from spunto.adapters.oidc.web import Web, unavailable
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unauthenticated

# Never the token's own choice: with `none` or a shared secret anybody who knows the public key could sign.
ALGORITHMS: Final = ("RS256", "PS256", "ES256")
_KEY_TYPES: Final = ("RSA", "EC")
GOOD_FOR_SECONDS: Final = 3600.0
# Tokens that nobody signed must not turn us against the provider.
REFETCH_SECONDS: Final = 60.0
# Each is tried where a token does not name its key.
MAX_KEYS: Final = 20
_UNREADABLE: Final = (JoseError, ValueError, KeyError, TypeError)


class TokenVerifier:
    def __init__(self, *, web: Web, clock: Clock) -> None:
        self._web = web
        self._clock = clock
        self._keys: Sequence[Key] | None = None
        self._fetched_at = 0.0
        self._lock = asyncio.Lock()

    async def verified(self, token: str, *, jwks_url: str) -> Mapping[str, Any]:
        """The claims of a token that is well signed; what they say is not looked at. Raises Unauthenticated."""
        keys = await self._keys_at(jwks_url, max_age_seconds=GOOD_FOR_SECONDS)
        claims = _claims(token, keys)
        if claims is None:
            # The provider may have begun to sign with a new key, which need not have a new name, or any.
            fresh = await self._keys_at(jwks_url, max_age_seconds=REFETCH_SECONDS)
            claims = None if fresh is keys else _claims(token, fresh)
        if claims is None:
            raise _bad_signature()
        return claims

    async def _keys_at(self, url: str, *, max_age_seconds: float) -> Sequence[Key]:
        async with self._lock:
            if self._keys is None or self._clock.monotonic() - self._fetched_at >= max_age_seconds:
                self._keys = _usable(await self._web.get(url))
                self._fetched_at = self._clock.monotonic()
            return self._keys


def _claims(token: str, keys: Sequence[Key]) -> Mapping[str, Any] | None:
    """None unless one of the keys signed it."""
    try:
        name = jws.extract_compact(token.encode()).headers().get("kid")
    except _UNREADABLE:
        return None
    for key in keys:
        if name is not None and key.kid not in (name, None):
            continue
        try:
            return jwt.decode(token, key, algorithms=list(ALGORITHMS)).claims
        except _UNREADABLE:
            continue
    return None


def _usable(document: Mapping[str, Any]) -> Sequence[Key]:
    """The keys that may sign; those of another kind, or that we can't read, are not there for us."""
    published = document.get("keys")
    found: list[Key] = []
    for each in published if isinstance(published, list) else ():
        if not isinstance(each, dict) or each.get("kty") not in _KEY_TYPES or each.get("use", "sig") != "sig":
            continue
        try:
            found.append(JWKRegistry.import_key(each))
        except _UNREADABLE:
            continue
    if not found:
        raise unavailable("it publishes no key that we can use")
    return found[:MAX_KEYS]


def _bad_signature() -> Unauthenticated:
    return Unauthenticated("sign_in_refused", "The provider's ID token is not signed as it should be; begin again.")
