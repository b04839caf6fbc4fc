"""The OpenID Connect client against an issuer that answers well, badly, and not at all."""

import base64
import hmac
import json
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from tests.unit.adapters.oidc.issuer import CLIENT_ID, CLIENT_SECRET, EC, RSA, URL, Issuer, Signer, signed_by

from spunto.adapters.oidc.provider import OidcProvider
from spunto.core.kernel.errors import SpuntoError, Unauthenticated, Unavailable
from spunto.core.kernel.secret import Secret
from spunto.testing.contracts.identity_provider import FLOW, REDIRECT_URI, IdentityProviderContract


class World:
    def __init__(self) -> None:
        self.issuer = Issuer()
        self.provider = self.issuer.provider()
        self.consent = self.issuer.consent
        self.go_down = self.issuer.go_down


class TestIdentityProvider(IdentityProviderContract):
    @pytest.fixture
    def world(self) -> World:
        return World()


def nameless() -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=False)


def signed_without_name(key: RSAKey, **named: str) -> Signer:
    return lambda claims: jwt.encode({"alg": "RS256", **named}, claims, key, algorithms=["RS256"])


async def claims_of(issuer: Issuer, provider: OidcProvider | None = None, **claims: Any) -> Any:
    """Of a whole sign-in at the issuer."""
    provider = provider or issuer.provider()
    url = await provider.authorization_url(
        state=FLOW.state, nonce=FLOW.nonce, challenge=FLOW.challenge, redirect_uri=REDIRECT_URI
    )
    code = issuer.consent(url, subject="1", email="ada@example.org", **claims)
    return await provider.claims(Secret(code), verifier=FLOW.verifier, redirect_uri=REDIRECT_URI)


async def refusal_of(issuer: Issuer, **claims: Any) -> str:
    with pytest.raises(SpuntoError) as caught:
        await claims_of(issuer, **claims)
    assert isinstance(caught.value, Unauthenticated | Unavailable)
    return caught.value.code


def text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed_with(secret: bytes, claims: dict[str, Any], *, algorithm: str) -> str:
    """By hand, because the library refuses to make what it would refuse to read."""
    header = text_of(json.dumps({"alg": algorithm, "kid": "rsa-1"}).encode())
    signed = f"{header}.{text_of(json.dumps(claims).encode())}"
    return f"{signed}.{text_of(hmac.digest(secret, signed.encode(), 'sha256')) if secret else ''}"


def unsigned(claims: dict[str, Any]) -> str:
    return signed_with(b"", claims, algorithm="none")


def signed_with_the_public_key_as_a_secret(claims: dict[str, Any]) -> str:
    return signed_with(RSA.as_pem(private=False), claims, algorithm="HS256")


def signed_with_the_client_secret(claims: dict[str, Any]) -> str:
    return signed_with(CLIENT_SECRET.encode(), claims, algorithm="HS256")


def signed_by_somebody_else_under_the_same_key_id(claims: dict[str, Any]) -> str:
    return signed_by(RSAKey.generate_key(2048, {"kid": "rsa-1"}), "RS256")(claims)


def signed_by_a_key_that_it_brings_along(claims: dict[str, Any]) -> str:
    own = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "jwk": own.as_dict(private=False)}, claims, own)


def changed_after_it_was_signed(claims: dict[str, Any]) -> str:
    header, _, signature = signed_by(RSA, "RS256")(claims).split(".")
    return f"{header}.{text_of(json.dumps({**claims, 'sub': '2'}).encode())}.{signature}"


@pytest.mark.parametrize(
    "forged",
    [
        unsigned,
        signed_with_the_public_key_as_a_secret,
        signed_with_the_client_secret,
        signed_by_somebody_else_under_the_same_key_id,
        signed_by_a_key_that_it_brings_along,
        changed_after_it_was_signed,
        signed_by(RSA, "RS512"),
        lambda claims: "nonsense",
        lambda claims: "a.b.c",
        lambda claims: "",
    ],
)
async def test_a_token_that_the_issuer_did_not_sign_as_agreed_is_refused(forged: Any) -> None:
    assert await refusal_of(Issuer(sign=forged)) == "sign_in_refused"


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256")], ids=["RS256", "PS256", "ES256"]
)
async def test_the_usual_algorithms_are_good(key: Any, algorithm: str) -> None:
    issuer = Issuer(keys=[key.as_dict(private=False)], sign=signed_by(key, algorithm))

    assert (await claims_of(issuer))["sub"] == "1"


async def test_keys_that_may_not_sign_are_not_there() -> None:
    secret = OctKey.generate_key(256, {"kid": "oct-1"}).as_dict(private=True)
    broken = {"kty": "RSA", "kid": "broken"}
    for keys in ([secret], [broken], [{**RSA.as_dict(private=False), "use": "enc"}], []):
        assert await refusal_of(Issuer(keys=keys)) == "provider_unavailable"

    assert (await claims_of(Issuer(keys=[secret, broken, RSA.as_dict(private=False)])))["sub"] == "1"


async def test_what_the_issuer_publishes_is_asked_once() -> None:
    issuer = Issuer()
    provider = issuer.provider()

    for _ in range(3):
        await claims_of(issuer, provider)

    assert sorted(issuer.asked) == ["/.well-known/openid-configuration", "/keys", *["/token"] * 3]


async def test_a_new_key_is_looked_for() -> None:
    issuer = Issuer()
    provider = issuer.provider()
    await claims_of(issuer, provider)
    issuer.clock.advance(60)
    issuer.keys, issuer.sign = [EC.as_dict(private=False)], signed_by(EC, "ES256")

    assert (await claims_of(issuer, provider))["sub"] == "1"


@pytest.mark.parametrize("name", [None, "rsa-1"])
async def test_a_new_key_without_a_new_name_is_looked_for(name: str | None) -> None:
    named = {} if name is None else {"kid": name}
    issuer, first, second = Issuer(), nameless(), nameless()
    issuer.keys, issuer.sign = [{**first.as_dict(private=False), **named}], signed_without_name(first, **named)
    provider = issuer.provider()
    await claims_of(issuer, provider)
    issuer.clock.advance(60)
    issuer.keys, issuer.sign = [{**second.as_dict(private=False), **named}], signed_without_name(second, **named)

    assert (await claims_of(issuer, provider))["sub"] == "1"


async def test_of_keys_without_names_each_is_tried() -> None:
    first, second = nameless(), nameless()
    issuer = Issuer(keys=[each.as_dict(private=False) for each in (first, EC, second)])

    for key in (first, second):
        issuer.sign = signed_without_name(key)
        assert (await claims_of(issuer))["sub"] == "1"


async def test_signatures_of_nobody_do_not_turn_us_against_the_issuer() -> None:
    issuer = Issuer(keys=[nameless().as_dict(private=False)])
    issuer.sign = signed_without_name(nameless())
    provider = issuer.provider()

    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await claims_of(issuer, provider)

    assert issuer.asked.count("/keys") == 1


async def test_a_key_that_was_withdrawn_is_not_good_for_more_than_an_hour() -> None:
    issuer = Issuer()
    provider = issuer.provider()
    await claims_of(issuer, provider)
    issuer.keys = [EC.as_dict(private=False)]
    issuer.clock.advance(3600)

    with pytest.raises(Unauthenticated):
        await claims_of(issuer, provider)


async def test_made_up_key_ids_do_not_turn_us_against_the_issuer() -> None:
    issuer = Issuer()
    provider = issuer.provider()
    await claims_of(issuer, provider)
    issuer.sign = signed_by(RSAKey.generate_key(2048, {"kid": "made-up"}), "RS256")
    issuer.clock.advance(59)

    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await claims_of(issuer, provider)

    assert issuer.asked.count("/keys") == 1


async def test_what_is_not_in_the_token_is_asked_for() -> None:
    issuer = Issuer(userinfo={"sub": "1", "email": "ada@example.org", "email_verified": True, "hd": "x", "iss": "y"})
    issuer.sign = lambda claims: signed_by(RSA, "RS256")(
        {name: value for name, value in claims.items() if not name.startswith("email")}
    )

    claims = await claims_of(issuer)

    assert (claims["email"], claims["email_verified"], claims["iss"], claims.get("hd")) == (
        "ada@example.org", True, URL, None,
    )  # fmt: skip


async def test_whether_the_address_is_verified_may_be_said_elsewhere_than_the_address() -> None:
    issuer = Issuer(userinfo={"sub": "1", "email": "ada@example.org", "email_verified": True})
    issuer.sign = lambda claims: signed_by(RSA, "RS256")(
        {name: value for name, value in claims.items() if name != "email_verified"}
    )

    claims = await claims_of(issuer)

    assert (claims["email"], claims["email_verified"]) == ("ada@example.org", True)


async def test_what_is_verified_is_the_address_that_was_said_with_it() -> None:
    issuer = Issuer(userinfo={"sub": "1", "email": "new@example.org", "email_verified": True})
    issuer.sign = lambda claims: signed_by(RSA, "RS256")(
        {name: value for name, value in claims.items() if name != "email_verified"}
    )

    assert (await claims_of(issuer))["email"] == "new@example.org"


async def test_somebody_elses_answer_is_not_taken() -> None:
    issuer = Issuer(userinfo={"sub": "2", "email": "eve@example.org", "email_verified": True})
    issuer.sign = lambda claims: signed_by(RSA, "RS256")({"sub": claims["sub"]})

    assert await refusal_of(issuer) == "sign_in_refused"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"issuer": f"{URL}/"},
        {"token_endpoint": "http://issuer.example/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": 1},
    ],
)
async def test_a_document_that_is_not_the_issuers_own_is_not_used(document: dict[str, Any]) -> None:
    assert await refusal_of(Issuer(document=document)) == "provider_unavailable"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
    ],
)
async def test_an_answer_that_is_none_is_no_sign_in(answer: httpx.Response, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer()
    monkeypatch.setattr(Issuer, "handle", lambda self, request: answer)

    assert await refusal_of(issuer) == "provider_unavailable"


async def test_a_document_without_an_end_is_not_read() -> None:
    assert await refusal_of(Issuer(document={"padding": "x" * 1_100_000})) == "provider_unavailable"


async def test_an_issuer_that_leads_elsewhere_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = Issuer.handle

    def moved(issuer: Issuer, request: httpx.Request) -> httpx.Response:
        if request.url.host == "issuer.example":
            return httpx.Response(307, headers={"Location": f"https://evil.example{request.url.path}"})
        return handle(issuer, request)

    monkeypatch.setattr(Issuer, "handle", moved)

    assert await refusal_of(Issuer()) == "provider_unavailable"


@pytest.mark.parametrize(
    ("methods", "client_secret", "sent"),
    [
        (None, CLIENT_SECRET, "Basic c3B1bnRvJTNBJTIwYXQlM0Rob21lOnMzY3JldCUyRiUyQg=="),
        (["client_secret_post", "client_secret_basic"], CLIENT_SECRET, "Basic c3B1bnRvJTNBJTIwYXQlM0Rob21lOnMzY3JldCUyRiUyQg=="),  # noqa: E501
        (["client_secret_post"], CLIENT_SECRET, CLIENT_SECRET),
        (None, None, None),
    ],
)  # fmt: skip
async def test_we_say_who_we_are_as_the_issuer_wants_it(
    methods: list[str] | None, client_secret: str | None, sent: str | None
) -> None:
    issuer = Issuer(document={"token_endpoint_auth_methods_supported": methods})

    await claims_of(issuer, issuer.provider(client_secret=client_secret))

    assert issuer.credentials == [sent]


async def test_the_domain_is_asked_for_and_the_issuers_own_query_kept() -> None:
    url = (
        await Issuer()
        .provider(hosted_domain="example.org")
        .authorization_url(state="s", nonce="n", challenge="c", redirect_uri=REDIRECT_URI)
    )

    assert url.startswith(f"{URL}/authorize?tenant=a&response_type=code&")
    assert url.endswith("&hd=example.org")
    assert httpx.URL(url).params["client_id"] == CLIENT_ID


async def test_a_refusal_of_ourselves_is_the_operators_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Issuer, "_token", lambda self, request: httpx.Response(401, json={"error": "invalid_client"}))

    assert await refusal_of(Issuer()) == "provider_unavailable"
