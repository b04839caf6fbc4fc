"""The settings of sign-in: what they need, what they refuse, and what they never show."""

import os
from pathlib import Path
from typing import Any

import pytest

from spunto.adapters.oidc.provider import OidcProvider
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.cli.settings import server_settings
from spunto.entrypoints.serving.identity import identity_provider
from spunto.entrypoints.serving.secret_settings import secret_of
from spunto.entrypoints.serving.settings import Settings


async def provider_of(**settings: Any) -> Any:
    async with identity_provider(Settings(**settings)) as provider:
        return provider


async def test_without_a_client_id_there_is_no_provider() -> None:
    assert await provider_of() is None


async def test_the_provider_is_google_unless_said_otherwise() -> None:
    provider = await provider_of(oidc_client_id="spunto", oidc_hosted_domain="example.org")

    assert isinstance(provider, OidcProvider)
    assert (provider.issuer, provider.client_id, provider.hosted_domain) == (
        "https://accounts.google.com", "spunto", "example.org",
    )  # fmt: skip


@pytest.mark.parametrize(
    "issuer", ["http://issuer.example", "http://10.0.0.1", "issuer.example", "ftp://localhost", "https://x/?a=b", ""]
)
async def test_an_issuer_that_somebody_on_the_way_could_be_is_refused(issuer: str) -> None:
    with pytest.raises(Invalid, match="SPUNTO_OIDC_ISSUER"):
        await provider_of(oidc_client_id="spunto", oidc_issuer=issuer)


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:3000", "http://localhost:3000/a", "https://x.example/realms/a"])
async def test_an_issuer_by_https_or_on_this_machine_is_good(issuer: str) -> None:
    assert (await provider_of(oidc_client_id="spunto", oidc_issuer=issuer)).issuer == issuer


def test_a_secret_comes_as_it_is_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n", encoding="utf-8")

    assert secret_of(Secret("s3cret"), None, setting="X") == Secret("s3cret")
    assert secret_of(None, tmp_path / "secret", setting="X") == Secret("s3cret")
    assert secret_of(None, None, setting="X") is None


def test_a_secret_that_is_given_twice_or_not_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")

    for value, file in ((Secret("s"), tmp_path / "empty"), (None, tmp_path / "empty"), (None, tmp_path / "none")):
        with pytest.raises(Invalid, match="X"):
            secret_of(value, file, setting="X")


def test_the_list_of_settings_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPUNTO_OIDC_CLIENT_SECRET", "s3cret")

    shown = {setting.name: setting.value for setting in server_settings(os.environ)}

    assert shown["SPUNTO_OIDC_CLIENT_SECRET"] == "***"
    assert "s3cret" not in repr(Settings())
