"""Any OpenID Connect issuer as the place where people sign in: authorization code with PKCE, over HTTP."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import httpx

from spunto.adapters.oidc.discovery import Discovery, Endpoints
from spunto.adapters.oidc.tokens import TokenVerifier
from spunto.adapters.oidc.web import Web, unavailable
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unauthenticated
from spunto.core.kernel.secret import Secret

SCOPES = "openid email profile"
# What a provider may keep out of the ID token and say at its userinfo endpoint instead.
_OF_THE_PERSON = ("email", "email_verified", "name")


class OidcProvider:
    """`client_secret` is None for a public client, which PKCE alone protects."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        issuer: str,
        client_id: str,
        client_secret: Secret | None,
        hosted_domain: str | None,
        trusts_unsaid_email: bool = False,
        clock: Clock,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self.hosted_domain = hosted_domain
        self.trusts_unsaid_email = trusts_unsaid_email
        self._client_secret = client_secret
        self._web = Web(http)
        self._discovery = Discovery(issuer, web=self._web, clock=clock)
        self._tokens = TokenVerifier(web=self._web, clock=clock)

    async def authorization_url(self, *, state: str, nonce: str, challenge: str, redirect_uri: str) -> str:
        endpoints = await self._discovery.endpoints()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPES,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if self.hosted_domain is not None:
            # Google then offers the fitting account; that it was taken, the claims say.
            asked["hd"] = self.hosted_domain
        address = urlsplit(endpoints.authorization)
        query = "&".join(part for part in (address.query, urlencode(asked)) if part)
        return urlunsplit((address.scheme, address.netloc, address.path, query, ""))

    async def claims(self, code: Secret, *, verifier: Secret, redirect_uri: str) -> Mapping[str, Any]:
        endpoints = await self._discovery.endpoints()
        answer = await self._redeem(endpoints, code, verifier, redirect_uri)
        token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise unavailable("it answered without an ID token")
        claims = await self._tokens.verified(token, jwks_url=endpoints.jwks)
        if {"email", "email_verified"} <= claims.keys() or endpoints.userinfo is None:
            return claims
        if not isinstance(access_token, str):
            return claims
        return {**claims, **await self._more(endpoints.userinfo, access_token, claims)}

    async def _redeem(
        self, endpoints: Endpoints, code: Secret, verifier: Secret, redirect_uri: str
    ) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code.reveal(),
            "redirect_uri": redirect_uri,
            "code_verifier": verifier.reveal(),
        }
        credentials, headers = self._credentials(endpoints)
        status, answer = await self._web.post(endpoints.token, {**form, **credentials}, headers=headers)
        if status != 200:
            error = answer.get("error")
            if error != "invalid_grant":
                # Such as `invalid_client`: it is the operator who has to do something.
                raise unavailable(f"its token endpoint refused us: {error}")
            raise Unauthenticated("sign_in_refused", "The provider takes this sign-in no more; begin again.")
        return answer

    def _credentials(self, endpoints: Endpoints) -> tuple[dict[str, str], dict[str, str]]:
        """How we say who we are: in the form, or in the headers."""
        if self._client_secret is None:
            return {"client_id": self.client_id}, {}
        secret = self._client_secret.reveal()
        if "client_secret_basic" in endpoints.token_auth_methods:
            pair = f"{quote(self.client_id, safe='')}:{quote(secret, safe='')}"
            return {}, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {"client_id": self.client_id, "client_secret": secret}, {}

    async def _more(self, url: str, access_token: str, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        said = await self._web.get(url, headers={"Authorization": f"Bearer {access_token}"})
        if said.get("sub") != claims.get("sub"):
            raise Unauthenticated("sign_in_refused", "The provider told of somebody else than who signed in.")
        return {name: said[name] for name in _OF_THE_PERSON if name in said}
