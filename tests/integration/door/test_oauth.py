"""A standard OAuth library signs a terminal in, knowing nothing but the server's address."""

from collections.abc import Iterator

import httpx
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from tests.fixtures.live import Live, live_server

from spunto.entrypoints.http.oauth import DEVICE_GRANT

WELL_KNOWN = "/.well-known/oauth-authorization-server"


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with an issuer, which nobody needs to reach here."""
    with live_server(tmp_path_factory.mktemp("signing"), oidc_client_id="spunto") as live:
        yield live


def begun(live: Live) -> tuple[OAuth2Session, dict[str, str], dict[str, object]]:
    metadata = httpx.get(f"{live.url}{WELL_KNOWN}").raise_for_status().json()
    client = OAuth2Session(client_id="my-tool", token_endpoint_auth_method="none")
    answer = httpx.post(metadata["device_authorization_endpoint"], data={"client_id": "my-tool"})
    return client, metadata, answer.json()


def decide(live: Live, code: object, decision: str) -> None:
    form = {"code": str(code), "decision": decision}
    httpx.post(f"{live.url}/device", data=form, headers=live.bearer).raise_for_status()


def fetch(client: OAuth2Session, metadata: dict[str, str], device_code: object) -> dict[str, object]:
    token: dict[str, object] = client.fetch_token(
        metadata["token_endpoint"], grant_type=DEVICE_GRANT, device_code=device_code
    )
    return token


def test_a_program_is_signed_in_by_a_standard_library(signing: Live) -> None:
    client, metadata, code = begun(signing)
    with client:
        with pytest.raises(OAuthError, match="authorization_pending"):
            fetch(client, metadata, code["device_code"])
        with pytest.raises(OAuthError, match="slow_down"):
            fetch(client, metadata, code["device_code"])
        decide(signing, code["user_code"], "approve")

        token = fetch(client, metadata, code["device_code"])

        assert token["token_type"] == "Bearer"
        session = client.get(f"{signing.url}/api/auth/session").json()
        assert session["userId"] == signing.owner.user_id
        with pytest.raises(OAuthError, match="expired_token"):
            fetch(client, metadata, code["device_code"])


def test_a_program_that_was_denied_hears_it_from_a_standard_library(signing: Live) -> None:
    client, metadata, code = begun(signing)
    with client:
        decide(signing, code["user_code"], "deny")

        with pytest.raises(OAuthError, match="access_denied"):
            fetch(client, metadata, code["device_code"])
