"""Signatures as Standard Webhooks has them (https://github.com/standard-webhooks/standard-webhooks, symmetric, v1).

The secret is written `whsec_<base64>`; `webhook-signature` holds one `v1,<base64 of HMAC-SHA256>` for each good secret,
with blanks between them, over `<webhook-id>.<webhook-timestamp>.<body>`.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from spunto.core.kernel.secret import Secret

PREFIX: Final = "whsec_"
# The specification asks for 24 to 64.
_SECRET_BYTES: Final = 32


def new_secret() -> Secret:
    return Secret(PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode())


def signed_headers(good: Sequence[Secret], *, message_id: str, timestamp: int, body: str) -> Mapping[str, str]:
    """The three headers of a message, signed by each secret."""
    signatures = [_signature(secret, message_id=message_id, timestamp=timestamp, body=body) for secret in good]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _signature(secret: Secret, *, message_id: str, timestamp: int, body: str) -> str:
    key = base64.b64decode(secret.reveal().removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.{body}".encode()
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
