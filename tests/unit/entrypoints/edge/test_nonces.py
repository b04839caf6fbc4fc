"""The nonces by which a browser's code is its own, beside whatever was planted in it."""

from datetime import UTC, datetime, timedelta

from spunto.core.kernel.secret import Secret
from spunto.core.routes.asking import nonce_hash
from spunto.entrypoints.edge.exchange import CookieNames
from spunto.entrypoints.edge.nonces import Nonces
from spunto.entrypoints.edge.seams import Headers

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY, OLDER_KEY = b"k" * 32, b"o" * 32


def of(
    *, scheme: str = "http", host: str = "h", client: str = "192.0.2.1", after_seconds: float = 0, key: bytes = KEY
) -> Nonces:
    now = NOW + timedelta(seconds=after_seconds)
    return Nonces(names=CookieNames.of(scheme), keys=[key, OLDER_KEY], host=host, client=client, now=now)


def keeping(*nonces: str, name: str = "spn") -> Headers:
    return [(b"cookie", "; ".join(f"{name}={each}" for each in nonces).encode())]


def hashed(nonce: str) -> str:
    return nonce_hash(Secret(nonce))


def test_tabs_that_open_at_once_share_one() -> None:
    given = of().to_give([])

    assert of(after_seconds=299).to_give(keeping("x" * 43, given)) == given
    assert of(after_seconds=300).to_give(keeping(given)) != given


def test_a_code_finds_its_own_among_planted_ones() -> None:
    planted, own = of().to_give([]), of().to_give([])

    found = of().of_code(keeping("F" * 43, *[planted] * 30, own), hashed(own))

    assert (found, planted != own) == (own, True)


def test_what_was_not_given_to_this_browser_here_is_none() -> None:
    elsewhere = {
        "another host": of(host="other"),
        "another address": of(client="192.0.2.2"),
        "another edge": of(key=b"x" * 32),
        "another time": of(after_seconds=-600),
        "a time to come": of(after_seconds=600),
    }

    nonces = {name: each.to_give([]) for name, each in elsewhere.items()}

    assert [name for name, each in nonces.items() if of().of_code(keeping(each), hashed(each))] == []


def test_one_is_good_as_long_as_the_browser_keeps_it_also_under_a_key_of_before() -> None:
    given = of(key=OLDER_KEY).to_give([])

    assert of(after_seconds=599).of_code(keeping(given), hashed(given)) == given


def test_over_https_the_browser_holds_it_whatever_address_it_comes_from() -> None:
    given = of(scheme="https").to_give([])

    found = of(scheme="https", client="192.0.2.2").of_code(keeping(given, name="__Host-spn"), hashed(given))

    assert found == given
