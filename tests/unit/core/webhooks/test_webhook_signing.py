"""Signatures, checked by the specification's own library and its published example."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis.strategies import text
from standardwebhooks import Webhook, WebhookVerificationError

from spunto.core.kernel.secret import Secret
from spunto.core.webhooks.signing import new_secret, signed_headers


def test_the_example_of_the_specification_comes_out() -> None:
    headers = signed_headers(
        [Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body='{"test": 2432232314}',
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_has_256_random_bits() -> None:
    one, other = new_secret().reveal(), new_secret().reveal()

    assert one.startswith("whsec_")
    assert len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) == 32
    assert one != other


@given(text())
def test_whoever_has_one_of_the_secrets_can_verify(said: str) -> None:
    old, new = new_secret(), new_secret()
    headers = dict(
        signed_headers(
            [new, old],
            message_id="evt_1",
            timestamp=int(datetime.now(UTC).timestamp()),
            body=f'"{said.encode().hex()}"',
        )
    )

    for secret in (old, new):
        assert Webhook(secret.reveal()).verify(f'"{said.encode().hex()}"', headers) == said.encode().hex()
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret().reveal()).verify(f'"{said.encode().hex()}"', headers)
