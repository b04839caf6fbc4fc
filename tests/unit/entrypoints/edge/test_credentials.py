"""What a request shows of who asks."""

from datetime import UTC, datetime, timedelta

import pytest

from spunto.core.kernel.errors import Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.routes.passes import Pass, sign
from spunto.entrypoints.edge.credentials import passes_of, token_of
from spunto.entrypoints.edge.exchange import CookieNames

KEY, NOW, HOST = b"k" * 32, datetime(2026, 1, 1, tzinfo=UTC), "worker-1-x-3000.w.localhost"
TOKEN = "sps_" + "a" * 43
GIVEN = Pass(by=f"ses_{'0' * 26}", subject=f"wkr_{'0' * 26}", host=HOST, expires_at=NOW + timedelta(minutes=15))


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([(b"authorization", b"Bearer " + TOKEN.encode())], TOKEN),
        ([(b"authorization", b"bearer  " + TOKEN.encode())], TOKEN),
        ([(b"spunto-authorization", b"Bearer " + TOKEN.encode()), (b"authorization", b"Basic YTpi")], TOKEN),
        # The application's own.
        ([(b"authorization", b"Bearer eyJhbGciOi")], None),
        ([(b"authorization", b"Basic YTpi")], None),
        ([], None),
    ],
)
def test_only_a_token_of_ours_is_meant_for_us(headers: list[tuple[bytes, bytes]], token: str | None) -> None:
    assert token_of(headers) == (None if token is None else Secret(token))


def test_what_stands_in_our_own_header_must_be_a_token() -> None:
    with pytest.raises(Unauthenticated, match="Spunto-Authorization"):
        token_of([(b"spunto-authorization", b"Basic YTpi"), (b"authorization", b"Bearer " + TOKEN.encode())])


def test_a_planted_cookie_does_not_lock_the_owner_out() -> None:
    good = sign(KEY, GIVEN)
    headers = [(b"cookie", f"spw=planted; spw={good}".encode())]

    found = passes_of(headers, CookieNames.of("http"), keys=[b"o" * 32, KEY], host=HOST, now=NOW)

    assert list(found) == [GIVEN]
