"""One sign-in under way: a secret in the browser's cookie, and all that is bound to it."""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from spunto.core.kernel.secret import Secret
from spunto.core.orgs.claims import CLOCK_SKEW

FLOW_LIFETIME: Final = timedelta(minutes=10)
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """State, nonce and PKCE verifier all come from the secret, so the server remembers nothing until somebody is in.

    Whoever sees the state in an address learns neither of the others from it.
    """

    key: bytes = field(repr=False)
    started_at: int
    next_path: str

    @property
    def state(self) -> str:
        return self._derived(f"state\n{self.started_at}\n{self.next_path}")

    @property
    def nonce(self) -> str:
        return self._derived("nonce")

    @property
    def verifier(self) -> Secret:
        return Secret(self._derived("verifier"))

    @property
    def challenge(self) -> str:
        """S256 of the verifier (RFC 7636)."""
        return _text(hashlib.sha256(self.verifier.reveal().encode()).digest())

    def answers(self, state: str, now: datetime) -> bool:
        """Whether a callback with that state belongs to this sign-in and comes in time."""
        age_seconds = now.timestamp() - self.started_at
        # It was begun on this server or another one, whose clocks may differ a little.
        in_time = -CLOCK_SKEW.total_seconds() <= age_seconds < FLOW_LIFETIME.total_seconds()
        return hmac.compare_digest(state.encode(), self.state.encode()) and in_time

    def to_cookie(self) -> Secret:
        return Secret(f"{self.started_at}.{_text(self.key)}.{_text(self.next_path.encode())}")

    def _derived(self, label: str) -> str:
        return _text(hmac.digest(self.key, label.encode(), "sha256"))


def new_flow(next_path: str, now: datetime) -> Flow:
    return Flow(key=secrets.token_bytes(_SECRET_BYTES), started_at=int(now.timestamp()), next_path=next_path)


def flow_in(cookie: str) -> Flow | None:
    """The sign-in that a cookie holds; None for anything that we did not write."""
    try:
        started_at, key, next_path = cookie.split(".")
        flow = Flow(key=_bytes(key), started_at=int(started_at), next_path=_bytes(next_path).decode())
    except (ValueError, binascii.Error):
        return None
    return flow if len(flow.key) == _SECRET_BYTES and flow.to_cookie().reveal() == cookie else None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(f"{text}{'=' * (-len(text) % 4)}", altchars=b"-_", validate=True)
