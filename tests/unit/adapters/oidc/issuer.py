"""An OpenID Connect issuer that answers httpx without a network, and misbehaves where it is told to."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from spunto.adapters.oidc.provider import OidcProvider
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.secret import Secret

URL = "https://issuer.example"
CLIENT_ID = "spunto: at=home"
CLIENT_SECRET = "s3cret/+"
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"})

Signer = Callable[[dict[str, Any]], str]


def signed_by(key: RSAKey | ECKey, algorithm: str) -> Signer:
    return lambda claims: jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, algorithms=[algorithm])


@dataclass(slots=True, kw_only=True)
class Issuer:
    """`document`, `keys` and `sign` may be replaced; `asked` are the paths of all requests."""

    clock: ManualClock = field(default_factory=ManualClock)
    keys: list[dict[str, Any]] = field(default_factory=lambda: [RSA.as_dict(private=False)])
    sign: Signer = field(default_factory=lambda: signed_by(RSA, "RS256"))
    document: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    is_down: bool = False
    asked: list[str] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)
    _codes: dict[str, tuple[dict[str, str], dict[str, Any]]] = field(default_factory=dict)

    def provider(self, *, hosted_domain: str | None = None, client_secret: str | None = CLIENT_SECRET) -> OidcProvider:
        return OidcProvider(
            httpx.AsyncClient(transport=httpx.MockTransport(self.handle)),
            issuer=URL,
            client_id=CLIENT_ID,
            client_secret=None if client_secret is None else Secret(client_secret),
            hosted_domain=hosted_domain,
            clock=self.clock,
        )

    def consent(self, url: str, *, subject: str, email: str, **claims: Any) -> str:
        """What a person does at the address; the code with which the browser is sent back."""
        asked = dict(parse_qsl(urlsplit(url).query))
        now = int(self.clock.now().timestamp())
        about = {"iss": URL, "aud": CLIENT_ID, "nonce": asked["nonce"], "iat": now, "exp": now + 300}
        code = f"code-{len(self._codes)}"
        person = {"sub": subject, "email": email, "email_verified": True}
        self._codes[code] = asked, {**about, **person, **claims}
        return code

    def go_down(self) -> None:
        self.is_down = True

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        match request.url.path:
            case "/.well-known/openid-configuration":
                return httpx.Response(200, json=self._document())
            case "/keys":
                return httpx.Response(200, json={"keys": self.keys})
            case "/token":
                return self._token(request)
            case "/userinfo":
                return httpx.Response(200, json=self.userinfo)
            case _:
                return httpx.Response(404)

    def _document(self) -> dict[str, Any]:
        usual = {
            "issuer": URL,
            "authorization_endpoint": f"{URL}/authorize?tenant=a",
            "token_endpoint": f"{URL}/token",
            "jwks_uri": f"{URL}/keys",
            "userinfo_endpoint": f"{URL}/userinfo",
        }
        return {name: value for name, value in {**usual, **self.document}.items() if value is not None}

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = dict(parse_qsl(request.content.decode()))
        self.credentials.append(request.headers.get("Authorization") or form.get("client_secret"))
        asked, claims = self._codes.pop(form["code"], ({}, {}))
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked.get("code_challenge") != challenge or asked.get("redirect_uri") != form["redirect_uri"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(200, json={"id_token": self.sign(claims), "access_token": "at", "token_type": "Bearer"})
