"""The contract of sign-in providers."""

from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import pytest

from spunto.core.kernel.errors import Unauthenticated, Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.flow import Flow
from spunto.core.orgs.ports import IdentityProvider

REDIRECT_URI = "https://spunto.example/api/auth/callback"
FLOW = Flow(key=b"k" * 32, started_at=0, next_path="/")
OTHER = Flow(key=b"o" * 32, started_at=0, next_path="/")


class ProviderWorld(Protocol):
    """A provider, the person who signs in at it, and the operator who pulls its plug."""

    @property
    def provider(self) -> IdentityProvider: ...

    def consent(self, url: str, *, subject: str, email: str, **claims: Any) -> str: ...

    def go_down(self) -> None: ...


class IdentityProviderContract:
    async def test_the_browser_is_sent_with_all_that_binds_the_answer_to_it(self, world: ProviderWorld) -> None:
        asked = dict(parse_qsl(urlsplit(await _url(world)).query))

        assert (
            asked.items()
            >= {
                "response_type": "code",
                "client_id": world.provider.client_id,
                "redirect_uri": REDIRECT_URI,
                "state": FLOW.state,
                "nonce": FLOW.nonce,
                "code_challenge": FLOW.challenge,
                "code_challenge_method": "S256",
            }.items()
        )
        assert FLOW.verifier.reveal() not in asked.values()

    async def test_a_code_gives_the_claims_once(self, world: ProviderWorld) -> None:
        code = world.consent(await _url(world), subject="1", email="ada@example.org")

        claims = await _claims(world, code)

        assert {name: claims[name] for name in ("iss", "aud", "sub", "nonce", "email", "email_verified")} == {
            "iss": world.provider.issuer,
            "aud": world.provider.client_id,
            "sub": "1",
            "nonce": FLOW.nonce,
            "email": "ada@example.org",
            "email_verified": True,
        }
        with pytest.raises(Unauthenticated):
            await _claims(world, code)

    async def test_a_code_is_good_for_nobody_without_the_verifier(self, world: ProviderWorld) -> None:
        code = world.consent(await _url(world), subject="1", email="ada@example.org")

        with pytest.raises(Unauthenticated) as caught:
            await _claims(world, code, verifier=OTHER.verifier)

        assert caught.value.code == "sign_in_refused"

    async def test_a_code_is_good_only_where_it_was_sent(self, world: ProviderWorld) -> None:
        code = world.consent(await _url(world), subject="1", email="ada@example.org")

        with pytest.raises(Unauthenticated):
            await world.provider.claims(
                Secret(code), verifier=FLOW.verifier, redirect_uri="https://elsewhere.example/callback"
            )

    async def test_a_made_up_code_is_refused(self, world: ProviderWorld) -> None:
        with pytest.raises(Unauthenticated):
            await _claims(world, "made-up")

    async def test_a_provider_that_is_down_is_unavailable(self, world: ProviderWorld) -> None:
        world.go_down()

        for asked in (_url(world), _claims(world, "code")):
            with pytest.raises(Unavailable) as caught:
                await asked
            assert caught.value.code == "provider_unavailable"
            assert caught.value.retry_after_seconds


async def _url(world: ProviderWorld) -> str:
    return await world.provider.authorization_url(
        state=FLOW.state, nonce=FLOW.nonce, challenge=FLOW.challenge, redirect_uri=REDIRECT_URI
    )


async def _claims(world: ProviderWorld, code: str, *, verifier: Secret = FLOW.verifier) -> Any:
    return await world.provider.claims(Secret(code), verifier=verifier, redirect_uri=REDIRECT_URI)
