"""What the operator may set about addresses and limits."""

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from spunto.core.kernel.buckets import Rate
from spunto.entrypoints.serving.limits import DEFAULT_RATES, Limit
from spunto.entrypoints.serving.settings import Settings


@pytest.fixture(autouse=True)
def _no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPUNTO_CONFIG", "/nonexistent.toml")


def test_networks_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPUNTO_TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8")

    assert Settings().trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize("value", ["everybody", "10.0.0.1/8", "10.0.0.0/8;fd00::/8"])
def test_what_is_no_network_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SPUNTO_TRUSTED_PROXIES", value)

    with pytest.raises(ValidationError):
        Settings()


def test_limits_are_as_in_the_table_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    by_default = Settings().rates
    monkeypatch.setenv("SPUNTO_RATE_LIMIT_PER_SECOND", "100")
    monkeypatch.setenv("SPUNTO_RATE_LIMIT_BURST", "200")

    assert by_default == DEFAULT_RATES
    assert Settings().rates == DEFAULT_RATES | {Limit.API: Rate(per_second=100, burst=200)}


def test_limits_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPUNTO_RATE_LIMITS", "off")

    assert Settings().rates == {}


@pytest.mark.parametrize(
    ("host", "public_url", "is_guessed"),
    [
        ("127.0.0.1", None, False),
        ("10.0.0.5", None, False),
        ("0.0.0.0", None, True),
        ("::", None, True),
        ("0.0.0.0", "https://spunto.example.org", False),
    ],
)
def test_an_address_is_guessed_where_a_server_listens_on_all_of_them(
    host: str, public_url: str | None, is_guessed: bool
) -> None:
    assert Settings(host=host, public_url=public_url).is_url_guessed is is_guessed
