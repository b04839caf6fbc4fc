"""An OpenID Connect provider in memory: people sign in at it by a call instead of by a page."""

import base64
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unauthenticated, Unavailable
from spunto.core.kernel.secret import Secret


@dataclass(slots=True, kw_only=True)
class FakeIdentityProvider:
    clock: Clock
    issuer: str = "https://issuer.example"
    client_id: str = "spunto"
    hosted_domain: str | None = None
    trusts_unsaid_email: bool = False
    is_down: bool = False
    _codes: dict[str, tuple[Mapping[str, str], Mapping[str, Any]]] = field(default_factory=dict, init=False)
    _counter: "itertools.count[int]" = field(default_factory=itertools.count, init=False)

    async def authorization_url(self, *, state: str, nonce: str, challenge: str, redirect_uri: str) -> str:
        self._require_up()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.issuer}/authorize?{urlencode(asked)}"

    def consent(self, url: str, *, subject: str, email: str, **claims: Any) -> str:
        """What a person does at that address: the code with which the browser is sent back."""
        asked = dict(parse_qsl(urlsplit(url).query))
        now = int(self.clock.now().timestamp())
        about = {"iss": self.issuer, "aud": self.client_id, "nonce": asked["nonce"], "iat": now, "exp": now + 300}
        code = f"code-{next(self._counter)}"
        self._codes[code] = asked, {**about, "sub": subject, "email": email, "email_verified": True, **claims}
        return code

    async def claims(self, code: Secret, *, verifier: Secret, redirect_uri: str) -> Mapping[str, Any]:
        self._require_up()
        asked, claims = self._codes.pop(code.reveal(), ({}, {}))
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.reveal().encode()).digest()).rstrip(b"=").decode()
        if asked.get("code_challenge") != digest or asked.get("redirect_uri") != redirect_uri:
            raise Unauthenticated("sign_in_refused", "The provider takes this sign-in no more; begin again.")
        return claims

    def _require_up(self) -> None:
        if self.is_down:
            raise Unavailable("provider_unavailable", "The provider is down.", retry_after_seconds=5)
